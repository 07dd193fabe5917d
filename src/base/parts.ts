/** Slices of `size`, the last may be shorter; of nothing there is one, which is empty. */
export function* partsOf<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  let from = 0;
  do yield all.slice(from, from + size);
  while ((from += size) < all.length);
}
