// Saves the figure as a file, as SVG or as PNG at three times its size.
"use strict";
(() => {
  const figure = document.querySelector(".figure svg");
  const bar = document.querySelector(".save");
  if (!figure || !bar) return;
  const SCALE = 3;
  const name = "figure";

  function save(blob, suffix) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.${suffix}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const asSvg = () => new Blob([new XMLSerializer().serializeToString(figure)], { type: "image/svg+xml" });

  function savePng() {
    const address = URL.createObjectURL(asSvg());
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = SCALE * figure.width.baseVal.value;
      canvas.height = SCALE * figure.height.baseVal.value;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(address);
      canvas.toBlob((blob) => save(blob, "png"), "image/png");
    };
    image.src = address;
  }

  bar.hidden = false;
  bar.addEventListener("click", ({ target }) => {
    if (target.dataset.save === "svg") save(asSvg(), "svg");
    if (target.dataset.save === "png") savePng();
  });
})();
