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

/** A clock that only goes forward, milliseconds. */
export type Clock = () => number;

const ownClock: Clock = () => performance.now();

/** @param quiet standard output is for a program: progress goes to standard error, line by line */
export function replayProgress(terminal: Terminal, quiet: boolean, nowMs = ownClock): ReplayProgress {
  return terminal.interactive && !quiet ? progressBar(nowMs) : progressLines(terminal, nowMs);
}

function progressBar(nowMs: Clock): ReplayProgress {
  const format = '{bar} {percentage}% | height {value} of {total} | {rate} events/s | {left}';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  const meter = paceMeter(nowMs);
  let isShown = false;
  return {
    show: (progress) => {
      const { eventsPerSecond, msLeft } = meter(progress);
      const payload = { rate: eventsPerSecond, left: leftText(msLeft) };
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

function progressLines(terminal: Terminal, nowMs: Clock): ReplayProgress {
  const meter = paceMeter(nowMs);
  let shownMs: number | null = null;
  return {
    show: (progress) => {
      const { eventsPerSecond, msLeft } = meter(progress);
      shownMs ??= nowMs();
      if (nowMs() - shownMs < LINE_EVERY_MS) return;
      shownMs = nowMs();
      const { headHeight, height } = progress;
      terminal.err(`height ${height} of ${headHeight}, ${eventsPerSecond} events/s, ${leftText(msLeft)}`);
    },
    end: () => undefined,
  };
}

function leftText(msLeft: number | null): string {
  return msLeft === null ? 'time left unknown' : `${durationText(msLeft)} left`;
}

export interface Pace {
  readonly eventsPerSecond: number;
  /** As long as the blocks that are left take at the pace of those before; null where there are none before. */
  readonly msLeft: number | null;
}

/** From the first progress on: what came before it, such as a check of all files, tells nothing of the pace. */
export function paceMeter(nowMs: Clock): (progress: LedgerReplayProgress) => Pace {
  let began: { readonly atMs: number; readonly events: number; readonly height: number } | null = null;
  return ({ events, headHeight, height }) => {
    began ??= { atMs: nowMs(), events, height };
    const passedMs = Math.max(1, nowMs() - began.atMs);
    const done = height - began.height;
    const left = headHeight - height;
    return {
      eventsPerSecond: Math.round((1000 * (events - began.events)) / passedMs),
      msLeft: left > 0 && done === 0 ? null : (passedMs * left) / Math.max(1, done),
    };
  };
}
