"""First names and things that stories are about, and by which others they may be renamed.

Left out are names that are words as well (Will, Mark, Rose, May), places (Paris, Jordan, Sydney), cards
(Jack) or flowers (Daisy), and those that end in s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Gender = Literal["he", "she"]

_HE = """
    Tom Ben Sam Max Leo Dan Aaron Adam Alan Albert Alexander Andrew Anthony Arthur Benjamin Brandon Brian
    Bruno Caleb Carl Cody Colin Connor Craig Daniel Darren David Derek Diego Donald Dylan Edgar Eduardo
    Edward Elijah Emil Eric Ernie Ethan Evan Felipe Fernando Gabriel Gary George Greg Gregory Harold Harry
    Hector Henry Howard Hugo Ian Isaac Ivan Jacob Jake James Jason Javier Jeff Jeremy Jerry Jim Jimmy
    Joe John Johnny Jonathan Jose Joseph Joshua Juan Justin Karl Keith Ken Kenny Kevin Kyle Larry Leon
    Leonard Liam Logan Louie Luca Luke Marco Mario Martin Marvin Matt Matthew Michael Mike Miguel Mohamed
    Nathan Neil Nick Noah Oliver Omar Oscar Owen Pablo Patrick Paul Pedro Peter Phil Philip Rafael Ralph
    Raymond Ricardo Richard Rob Robert Roberto Roger Ron Ronald Ryan Samuel Scott Sean Sebastian Simon
    Stefan Stephen Steve Steven Stewart Terrence Theo Tim Timothy Tony Travis Trevor Victor Vincent Walter
    Wayne William Zach Zachary
"""
_SHE = """
    Ana Mia Eva Zoe Amy Ida Abigail Ada Alice Alicia Alison Amanda Amelia Andrea Angela Anita Anna Anne
    Annie Barbara Beth Betty Brenda Brianna Carla Carmen Caroline Cathy Cecilia Chloe Christina
    Cindy Claire Clara Claudia Courtney Cynthia Danielle Deborah Debra Denise Diana Diane Donna
    Doris Dorothy Edith Elena Eliza Elizabeth Ella Ellen Ellie Emily Emma Erica Erin Esther Eve Evelyn
    Fatima Fiona Frances Gabriela Gina Gloria Greta Gwen Hannah Harriet Heather Heidi Helen Helena Ingrid
    Irene Isabel Isabella Jacqueline Janet Janice Jane Jenna Jennifer Jenny Jessica Jill Joan Joanna
    Josephine Judith Judy Julia Julie Karen Karla Kate Katherine Kathleen Katie Katrina Kayla Kelly Kim
    Kristen Laura Lauren Leah Lena Leslie Lillian Linda Lisa Lola Lucia Lucy Luna Lydia Maggie Mandy
    Margaret Maria Marie Marilyn Martha Mary Megan Melanie Melissa Michelle Mildred Molly Monica Nancy
    Naomi Natalie Natasha Nicole Nina Nora Olga Olivia Pamela Patricia Paula Peggy Phoebe Rachel Rebecca
    Regina Renee Rita Rosa Rosie Sally Samantha Sandra Sara Sarah Selena Shannon Sharon Sheila Shelly
    Silvia Sofia Sonia Sophia Sophie Stella Stephanie Susan Suzanne Tamara Tanya Tara Teresa Tina Tracy
    Ursula Valerie Vanessa Vera Veronica Victoria Wendy Yolanda Yvonne
"""
PEOPLE: Mapping[str, Gender] = {
    **{name: "he" for name in _HE.split() if not name.endswith("s")},
    **{name: "she" for name in _SHE.split() if not name.endswith("s")},
}
"""Gender by name."""
WORDS = frozenset({"Max"})
"""Names that are words as well, and so need a pronoun beside them."""
UNISEX = frozenset({"Sam", "Kelly", "Kim", "Leslie", "Tracy", "Shannon", "Luca"})
FAMOUS = frozenset(
    """Abigail Adam Albert Alexander Anne Arthur Daniel David Diana Edward Elijah Elizabeth Esther Eve Gabriel
    George Hannah Henry Isaac Jacob James John Joseph Joshua Juan Leah Luke Maria Martha Mary Matthew Michael
    Mohamed Naomi Noah Oliver Paul Peter Philip Rachel Rebecca Richard Robert Samuel Sarah Sebastian Simon
    Sophia Stephen Theo Timothy Victoria William""".split()  # noqa: SIM905
)
"""Names that stand for one person all over the world in questions about it."""
NEW_PEOPLE: Mapping[Gender, tuple[str, ...]] = {
    "he": ("Tom", "Ben", "Sam", "Max", "Leo", "Dan"),
    "she": ("Ana", "Mia", "Eva", "Zoe", "Amy", "Ida"),
}
"""What people may be called in a view: short names that small models know as well."""

_FOOD = """
    apple-apples egg-eggs nut-nuts plum-plums banana-bananas carrot-carrots cookie-cookies
    cupcake-cupcakes grape-grapes lemon-lemons mango-mangoes melon-melons muffin-muffins orange-oranges
    peach-peaches pear-pears potato-potatoes tomato-tomatoes
"""
_OBJECTS = """
    coin-coins book-books card-cards shell-shells pen-pens stamp-stamps bead-beads ball-balls
    button-buttons crayon-crayons feather-feathers marble-marbles notebook-notebooks pebble-pebbles
    pencil-pencils ribbon-ribbons rock-rocks sticker-stickers
"""


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((one, many) for one, _, many in (word.partition("-") for word in text.split()))


THINGS = (_pairs(_FOOD), _pairs(_OBJECTS))
"""Singular and plural of things; one is renamed to another of its group only."""
NEW_THINGS = (_pairs(_FOOD)[:4], _pairs(_OBJECTS)[:8])
"""What things may be called in a view."""
