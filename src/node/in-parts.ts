/** Long synchronous work in parts, so that a message that a round waits for does not wait for all of it. */
import { setImmediate } from 'node:timers/promises';

/** @returns what `map` returned, in order; input and output are served between two parts */
export async function mapInParts<T, U>(items: readonly T[], partSize: number, map: (item: T) => U): Promise<U[]> {
  const mapped: U[] = [];
  for (let start = 0; start < items.length; start += partSize) {
    if (start > 0) await setImmediate();
    mapped.push(...items.slice(start, start + partSize).map(map));
  }
  return mapped;
}
