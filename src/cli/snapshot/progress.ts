/** Progress of long work: a bar on a terminal, else a line every few seconds. */
import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from '../terminal.ts';

export interface Progress {
  /** @param total null while it is not known */
  show(what: string, done: number, total: number | null): void;
  end(): void;
}

const LINE_EVERY_MS = 5_000;

export function progressOf(unit: string, terminal: Terminal, json: boolean): Progress {
  return terminal.interactive && !json ? bar(unit) : lines(unit, terminal);
}

function bar(unit: string): Progress {
  const format = `{what} {bar} {percentage}% | {value} of {total} ${unit} | {eta_formatted} left`;
  const drawn = new SingleBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  let shown: string | null = null;
  return {
    show(what, done, total) {
      if (shown !== what) {
        if (shown !== null) drawn.stop();
        drawn.start(total ?? done, done, { what });
      }
      shown = what;
      if (total === null) drawn.setTotal(done);
      else drawn.setTotal(total);
      drawn.update(done);
    },
    end() {
      if (shown !== null) drawn.stop();
    },
  };
}

function lines(unit: string, terminal: Terminal): Progress {
  let toldMs = performance.now();
  return {
    show(what, done, total) {
      if (performance.now() - toldMs < LINE_EVERY_MS) return;
      toldMs = performance.now();
      terminal.err(`${what}: ${done}${total === null ? '' : ` of ${total}`} ${unit}`);
    },
    end: () => undefined,
  };
}
