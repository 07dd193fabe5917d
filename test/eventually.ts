/** How tests wait: for a fact, with a deadline, and never for a time. */
import { setTimeout as delay } from 'node:timers/promises';

const FACT_DEADLINE_MS = 45_000;
const LOOK_AGAIN_MS = 50;

/**
 * Looks again and again until the fact holds.
 *
 * @param fact gives undefined while it does not hold; an error ends the wait, unless it only says that a node is down
 */
export async function eventually<T>(
  what: string,
  fact: () => Promise<T | undefined> | T | undefined,
  deadlineMs = FACT_DEADLINE_MS,
): Promise<T> {
  const giveUpAtMs = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < giveUpAtMs) {
    try {
      const found = await fact();
      if (found !== undefined) return found;
    } catch (error) {
      if ((error as { code?: string }).code !== 'node-not-running') throw error;
      last = error;
    }
    await delay(LOOK_AGAIN_MS);
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}
