"""The schedule belongs to the step, so the rate is noted after it."""
# loses: test-train-epoch, test-module-training

# %% train-epoch
#| export
def train_epoch(trainer, batches, after_step):
    trainer.model.train()
    for x, y in trainer.open(batches):
        trainer.history.loss.append(trainer.take_step(x, y))
        if trainer.scheduler:
            trainer.scheduler.step()
        trainer.history.lr.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.batch += 1
        after_step()
