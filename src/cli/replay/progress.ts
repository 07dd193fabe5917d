/** Progress of a replay: a bar on a terminal, else a line every few seconds. */
import { Presets, SingleBar } from 'cli-progress';
import type { LedgerReplayProgress } from '../../node/replay.ts';
import { durationText } from '../print.ts';
import type { Terminal } from '../terminal.ts';

export interface ReplayProgress {
  readonly show: (progress: LedgerReplayProgress) => void;
  readonly end: () => void;
}

const LINE_EVERY_MS = 5_000;

/** @param quiet standard output is for a program: progress goes to standard error, line by line */
export function replayProgress(terminal: Terminal, quiet: boolean): ReplayProgress {
  return terminal.interactive && !quiet ? progressBar() : progressLines(terminal);
}

function progressBar(): ReplayProgress {
  const format = '{bar} {percentage}% | height {value} of {total} | {rate} events/s | {left} left';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  const meter = paceMeter();
  let isShown = false;
  return {
    show: (progress) => {
      const { eventsPerSecond, msLeft } = meter(progress);
      const payload = { rate: eventsPerSecond, left: durationText(msLeft) };
      if (!isShown) bar.start(progress.headHeight, progress.fromHeight, payload);
      isShown = true;
      // The head of a running node moves on.
      bar.setTotal(progress.headHeight);
      bar.update(progress.height, payload);
    },
    end: () => {
      bar.stop();
    },
  };
}

function progressLines(terminal: Terminal): ReplayProgress {
  const meter = paceMeter();
  let shownMs = performance.now();
  return {
    show: (progress) => {
      if (performance.now() - shownMs < LINE_EVERY_MS) return;
      shownMs = performance.now();
      const { eventsPerSecond, msLeft } = meter(progress);
      const { headHeight, height } = progress;
      terminal.err(`height ${height} of ${headHeight}, ${eventsPerSecond} events/s, ${durationText(msLeft)} left`);
    },
    end: () => undefined,
  };
}

export interface Pace {
  readonly eventsPerSecond: number;
  /** As long as the blocks that are left take at the pace of those before. */
  readonly msLeft: number;
}

/** @param nowMs of a clock that only goes forward */
export function paceMeter(nowMs: () => number = () => performance.now()): (progress: LedgerReplayProgress) => Pace {
  const beganMs = nowMs();
  return ({ events, fromHeight, headHeight, height }) => {
    const passedMs = Math.max(1, nowMs() - beganMs);
    const done = height - fromHeight;
    return {
      eventsPerSecond: Math.round((1000 * events) / passedMs),
      msLeft: done === 0 ? 0 : (passedMs * (headHeight - height)) / done,
    };
  };
}
