"""What each tracker is told of a run, in its own words."""

from ttrl.recording.trackers.registry import (
    MlflowTracker,
    TensorboardTracker,
    TrackioTracker,
    WandbTracker,
)

SUMMARY = {"sets/heldout/final/avg@4": 0.5}


def go_through(tracker, run, *, finished=True):
    tracker.start(run)
    tracker.log(run.step + 1, {"reward/mean": 0.25})
    tracker.finish(SUMMARY if finished else None)


def test_wandb_gets_config_steps_and_summary_under_the_id_of_the_run(wandb, make_run):
    run = make_run()
    go_through(WandbTracker(), run)
    (_, init), *rest = wandb
    assert (init["project"], init["name"], init["id"]) == ("ttrl", "x", run.id)
    assert init["resume"] == "allow" and init["dir"] == str(run.directory)
    assert init["config"] == run.config and "mode" not in init  # so WANDB_MODE holds
    assert rest == [
        ("define_metric", "*", {"step_metric": "step"}),
        ("log", {"step": 1, "reward/mean": 0.25}, {}),
        ("summary", SUMMARY),
        ("finish", {"exit_code": 0}),
    ]


def test_wandb_goes_on_under_the_same_id_and_names_no_step_of_its_own_counter(wandb, make_run):
    go_through(WandbTracker(), make_run(), finished=False)
    go_through(WandbTracker(), make_run(step=1))
    first, second = (named for kind, named, *_ in wandb if kind == "init")
    assert first["id"] == second["id"]
    assert [call for call in wandb if call[0] == "log"][1] == (
        "log",
        {"step": 2, "reward/mean": 0.25},
        {},
    )
    assert ("finish", {"exit_code": 1}) in wandb


def test_projects_named_in_the_environment_hold(wandb, trackio, mlflow, make_run, monkeypatch):
    for name in ("WANDB_PROJECT", "TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(name, "mine")
    for make in (WandbTracker, TrackioTracker, MlflowTracker):
        make().start(make_run())
    assert wandb[0][1]["project"] == trackio[0][1]["project"] == mlflow[0][1] == "mine"


def test_trackio_gets_the_summary_at_the_last_step_of_a_run_named_by_its_id(trackio, make_run):
    run = make_run(step=2)
    go_through(TrackioTracker(), run)
    named = {"project": "ttrl", "name": "x-012345", "resume": "allow", "config": run.config}
    assert trackio == [
        ("init", named),
        ("log", {"reward/mean": 0.25}, {"step": 3}),
        ("log", SUMMARY, {"step": 3}),
        ("finish", {}),
    ]


def test_mlflow_gets_parameters_once_and_finds_its_run_again(mlflow, make_run):
    go_through(MlflowTracker(), make_run(), finished=False)
    go_through(MlflowTracker(), make_run(step=1))
    assert [call[0] for call in mlflow] == [
        *("set_experiment", "start_run", "log_params", "log_metrics", "end_run"),
        *("set_experiment", "start_run", "log_metrics", "log_metrics", "end_run"),
    ]
    new, again = (call[1] for call in mlflow if call[0] == "start_run")
    assert new == {"run_name": "x", "tags": {"ttrl_run": "0123456789abcdef"}}
    assert again == {"run_id": "made-up"}
    parameters = mlflow[2][1]
    assert parameters["steps"] == "4" and parameters["stop"] == "['.']"
    assert parameters["questions"] == "q" * 500
    assert mlflow[4] == ("end_run", "KILLED", {}) and mlflow[9] == ("end_run", "FINISHED", {})
    assert mlflow[8] == ("log_metrics", {"sets/heldout/final/avg_at_4": 0.5}, {"step": 2})


def test_tensorboard_writes_into_the_run_directory(tensorboard, make_run):
    run = make_run()
    go_through(TensorboardTracker(), run)
    (made, where), (kind, tag, text, _), *rest = tensorboard
    assert made == "SummaryWriter" and kind == "add_text" and tag == "config"
    assert where == {"log_dir": str(run.directory / "tensorboard"), "purge_step": None}
    assert '"steps": 4' in text
    assert rest == [
        ("add_scalar", "reward/mean", 0.25, 1, {}),
        ("flush", {}),
        ("add_scalar", "sets/heldout/final/avg@4", 0.5, 1, {}),
        ("close", {}),
    ]


def test_tensorboard_hides_what_comes_after_the_checkpoint_that_a_run_goes_on_from(
    tensorboard, make_run
):
    go_through(TensorboardTracker(), make_run(step=2), finished=False)
    assert [call[0] for call in tensorboard] == ["SummaryWriter", "add_scalar", "flush", "close"]
    assert tensorboard[0][1]["purge_step"] == 3
