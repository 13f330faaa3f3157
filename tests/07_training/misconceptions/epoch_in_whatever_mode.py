"""A model that is trained is in training mode."""
# loses: test-train-epoch

# %% train-epoch
#| export
def train_epoch(trainer, batches, after_step):
    for x, y in trainer.open(batches):
        trainer.history.loss.append(trainer.take_step(x, y))
        trainer.history.lr.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.batch += 1
        if trainer.scheduler:
            trainer.scheduler.step()
        after_step()
