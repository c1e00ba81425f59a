#!/usr/bin/env bash
# TTRL with the paper's settings on verl: train.sh aime24|amc|math500 [OVERRIDE ...]
#
#   MODEL=Qwen/Qwen2.5-Math-1.5B   or Qwen/Qwen2.5-Math-7B, or a folder
#   DATA=data                      what recipes/verl/data.sh wrote
#   OUT=checkpoints                where checkpoints go; the same path on every node
#   GPUS=8 NODES=1                 GPUs of a node, and nodes
#   TP=1                           GPUs that one sampling server takes: 2 for models that do not fit one
#
# Several nodes: recipes/verl/cluster.sh on each of them first, then on the head
#   RAY_ADDRESS=auto NODES=2 recipes/verl/train.sh aime24
#
# Overrides at the end are verl's own, and win. Source of the values: TTRL (arXiv:2504.16084), its scripts.
set -euo pipefail
set_name=${1:?"usage: train.sh aime24|amc|math500 [OVERRIDE ...]"}
shift

# Questions in a step, longest prompt, epochs. verl leaves out what does not fill a step: of 30 questions
# 6 others in each epoch, so that 80 epochs are 240 steps; AMC 300, MATH-500 150.
case $set_name in
    aime24) questions=8 prompt=512 epochs=80 ;;
    amc) questions=8 prompt=1024 epochs=30 ;;
    math500) questions=32 prompt=1024 epochs=10 ;;
    *) echo "train.sh: no set '$set_name'; there are aime24, amc, math500." >&2; exit 2 ;;
esac
model=${MODEL:-Qwen/Qwen2.5-Math-1.5B}
data=${DATA:-data}/$set_name

overrides=(
    # The vote: how many take part stands in each row of the data (64), how many are trained on is rollout.n.
    trainer.v1.trainer_mode=ttrl
    +ttrl.task=math
    +ttrl.reward=agreement
    +ttrl.trained_choice=first
    actor_rollout_ref.rollout.n=32
    # Otherwise verl would grade each sample against a label while it is drawn.
    reward.reward_manager.source=importlib
    reward.reward_manager.name=NoTrainingReward
    reward.reward_manager.module.path=pkg://ttrl.overlays.verl.reward

    "data.train_files=$data/train.parquet"
    "data.val_files=$data/evaluation.parquet"
    "data.train_batch_size=$questions"
    "data.max_prompt_length=$prompt"
    data.max_response_length=3072
    data.filter_overlong_prompts=True

    "actor_rollout_ref.model.path=$model"
    actor_rollout_ref.model.use_remove_padding=True
    actor_rollout_ref.model.enable_gradient_checkpointing=True

    # GRPO with a KL term in the loss: 8 updates in a step (32 on MATH-500), each on as many completions as
    # one question has. verl balances their lengths over GPUs, so they are not those of one question.
    algorithm.adv_estimator=grpo
    algorithm.use_kl_in_reward=False
    actor_rollout_ref.actor.ppo_mini_batch_size=1
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2
    actor_rollout_ref.actor.use_kl_loss=True
    actor_rollout_ref.actor.kl_loss_coef=0.001
    actor_rollout_ref.actor.kl_loss_type=low_var_kl
    actor_rollout_ref.actor.clip_ratio=0.2
    actor_rollout_ref.actor.clip_ratio_c=3.0
    actor_rollout_ref.actor.entropy_coeff=0
    actor_rollout_ref.actor.loss_agg_mode=token-mean
    actor_rollout_ref.actor.optim.lr=5e-7
    actor_rollout_ref.actor.optim.lr_scheduler_type=cosine
    actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=0.03
    actor_rollout_ref.actor.optim.weight_decay=0.01
    actor_rollout_ref.actor.optim.clip_grad=1.0
    actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=4

    # 1.0 is for Qwen2.5-Math and for models that reason at length; the paper samples others at 0.6.
    actor_rollout_ref.rollout.name=vllm
    actor_rollout_ref.rollout.temperature=1.0
    actor_rollout_ref.rollout.top_p=1.0
    actor_rollout_ref.rollout.top_k=-1
    "actor_rollout_ref.rollout.tensor_model_parallel_size=${TP:-1}"
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4

    # avg@16, on the questions that are trained on, as in the paper; there every 2 steps, here every 10.
    actor_rollout_ref.rollout.val_kwargs.n=16
    actor_rollout_ref.rollout.val_kwargs.do_sample=True
    actor_rollout_ref.rollout.val_kwargs.temperature=0.6
    actor_rollout_ref.rollout.val_kwargs.top_p=0.95

    "trainer.nnodes=${NODES:-1}"
    "trainer.n_gpus_per_node=${GPUS:-8}"
    "trainer.total_epochs=$epochs"
    trainer.test_freq=10
    trainer.save_freq=50
    trainer.resume_mode=auto
    trainer.logger=[console]
    trainer.project_name=ttrl
    "trainer.experiment_name=$set_name-$(basename "$model")"
    "trainer.default_local_dir=${OUT:-checkpoints}/$set_name-$(basename "$model")"
)

# RUN is for looking: RUN='printf %s\n' prints the overrides.
exec ${RUN:-python -m ttrl.overlays.verl.main} "${overrides[@]}" "$@"
