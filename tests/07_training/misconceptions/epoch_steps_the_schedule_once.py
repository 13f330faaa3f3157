"""A schedule goes on when an epoch is done."""
# loses: test-train-epoch, test-module-training

# %% train-epoch
#| export
def train_epoch(trainer, batches, after_step):
    trainer.model.train()
    for x, y in trainer.open(batches):
        trainer.history.loss.append(trainer.take_step(x, y))
        trainer.history.lr.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.batch += 1
        after_step()
    if trainer.scheduler:
        trainer.scheduler.step()
