/** Threads that others go before. */
import { getPriority, setPriority } from 'node:os';

/** Of `nice`. */
const MOST = 19;

/**
 * This thread's alone, and beside what it has: a process may have been started as a nice one, and only root may take that back.
 * Linux gives each thread a priority of its own; elsewhere it would be that of the whole process, and nothing is done.
 *
 * @param niceness 5 makes a third of the weight where both want a core, 10 a tenth
 */
export function stepAside(niceness: number): void {
  if (process.platform === 'linux' && niceness > 0) setPriority(0, Math.min(MOST, getPriority(0) + niceness));
}
