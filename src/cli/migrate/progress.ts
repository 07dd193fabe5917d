/** How far a migration is: a bar that is drawn again, or a line every few seconds. */
import { Presets, SingleBar } from 'cli-progress';
import type { StepProgress } from '../../node/migrate/run-step.ts';
import { durationText } from '../print.ts';
import type { Terminal } from '../terminal.ts';

export interface MigrationProgress {
  readonly show: (progress: StepProgress) => void;
  readonly end: () => void;
}

const LINE_EVERY_MS = 5_000;

/** @param clock that only goes forward, milliseconds */
export function migrationProgress(
  terminal: Terminal,
  json: boolean,
  clock: () => number = () => performance.now(),
): MigrationProgress {
  return terminal.interactive && !json ? bar() : lines(terminal, clock);
}

function bar(): MigrationProgress {
  const format = '{step} {bar} {percentage}% | {value} of {total} records | {eta_formatted} left';
  const shown = new SingleBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  let step = '';
  return {
    show: (progress) => {
      if (progress.step !== step) shown.start(progress.total, progress.records, { step: progress.step });
      step = progress.step;
      shown.setTotal(progress.total);
      shown.update(progress.records);
    },
    end: () => {
      shown.stop();
    },
  };
}

function lines(terminal: Terminal, clock: () => number): MigrationProgress {
  let step = '';
  let begun = { atMs: 0, records: 0 };
  let shownMs = 0;
  return {
    show: ({ records, step: current, total }) => {
      const nowMs = clock();
      if (current !== step) {
        step = current;
        begun = { atMs: nowMs, records };
        shownMs = nowMs;
      }
      if (nowMs - shownMs < LINE_EVERY_MS) return;
      shownMs = nowMs;
      const leftMs = ((nowMs - begun.atMs) * (total - records)) / Math.max(1, records - begun.records);
      terminal.err(`${step}: ${records} of ${total} records, about ${durationText(leftMs)} left`);
    },
    end: () => undefined,
  };
}
