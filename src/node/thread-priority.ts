/** Threads that others go before. */
import { setPriority } from 'node:os';

/**
 * This thread's alone: Linux gives each a priority of its own. Elsewhere it would be that of the whole process, and nothing
 * is done.
 *
 * @param niceness 5 has a third of the weight of 0, where both want a core; 19 the least
 */
export function yieldTo(niceness: number): void {
  if (process.platform === 'linux') setPriority(0, niceness);
}
