/** Long work in parts, so that a message that a round waits for does not wait for all of it. */

/**
 * Input and output are served between the beginnings of two parts; all that was begun goes on side by side.
 *
 * @returns what `work` came to, in order
 */
export function allInParts<T, U>(
  items: readonly T[],
  partSize: number,
  work: (item: T) => Promise<U>,
): Promise<readonly U[]> {
  let turn = Promise.resolve();
  return Promise.all(
    items.map((item, index) => {
      if (index > 0 && index % partSize === 0) turn = turn.then(nextTick);
      return index < partSize ? work(item) : turn.then(() => work(item));
    }),
  );
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
