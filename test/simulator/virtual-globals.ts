/**
 * While a simulation runs, the timers of this JavaScript realm are the simulation's, and its clock and its dice do not
 * answer but to a process that is given its own: whatever production code reaches for them, in any file, gets virtual time
 * or an error, never the machine's. A run is synchronous, so nothing else can see them.
 */
import { assert } from '../../src/base/assert.ts';
import type { Handle, Owner, Scheduler } from './scheduler.ts';

/** A process of the simulation: its timers run at the speed of its clock, and end with it. */
export interface TimedProcess extends Owner {
  /** Real milliseconds that its clock takes for one. */
  readonly realMsPerMs: number;
  /** What `performance.now` and `Math.random` answer it; absent: it may not ask. */
  readonly monotonicMs?: () => number;
  readonly fraction?: () => number;
}

export function withVirtualGlobals<T>(scheduler: Scheduler, run: () => T): T {
  const realm = globalThis as unknown as Record<string, unknown>;
  const saved = new Map(Object.keys(timersOf(scheduler)).map((name) => [name, realm[name]]));
  const now = Date.now;
  const random = Math.random;
  const performanceNow = performance.now.bind(performance);
  Object.assign(realm, timersOf(scheduler));
  Date.now = () => notHere('Date.now');
  const asking = () => scheduler.current as TimedProcess | null;
  Math.random = () => asking()?.fraction?.() ?? notHere('Math.random');
  performance.now = () => asking()?.monotonicMs?.() ?? notHere('performance.now');
  try {
    return run();
  } finally {
    for (const [name, value] of saved) realm[name] = value;
    Date.now = now;
    Math.random = random;
    performance.now = performanceNow;
  }
}

function timersOf(scheduler: Scheduler): Record<string, unknown> {
  const after = (delayMs: number, run: (...args: unknown[]) => void, args: readonly unknown[]): VirtualTimer => {
    const process = scheduler.current as TimedProcess | null;
    assert(process !== null, 'a timer is started by a process of the simulation', {});
    const work = args.length === 0 ? run : () => run(...args);
    return new VirtualTimer(scheduler.after(delayMs * process.realMsPerMs, process, work));
  };
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.handle.cancel();
  };
  return {
    setTimeout: (run: () => void, delayMs = 0, ...args: unknown[]) => after(Math.max(0, delayMs), run, args),
    setImmediate: (run: () => void, ...args: unknown[]) => after(0, run, args),
    setInterval: () => notHere('setInterval'),
    clearTimeout: clear,
    clearImmediate: clear,
  };
}

class VirtualTimer {
  readonly handle: Handle;

  constructor(handle: Handle) {
    this.handle = handle;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

function notHere(what: string): never {
  throw new Error(`${what} in a simulation: its answer would be no function of the seed`);
}
