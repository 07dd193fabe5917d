/**
 * Partitions of instances into sides, as restricted growth strings: `[0, 0, 1, 0, 2]` puts the third by itself, the fifth
 * by itself and the rest together. Every partition has exactly one (Knuth, The Art of Computer Programming, 7.2.1.5).
 */

/** Lexicographic; the first one is whole. */
export function partitionsOf(size: number, mostSides: number): readonly (readonly number[])[] {
  const found: number[][] = [];
  const extend = (prefix: number[], sides: number): void => {
    if (prefix.length === size) {
      found.push(prefix);
      return;
    }
    for (let side = 0; side < Math.min(sides + 1, mostSides); side++) {
      extend([...prefix, side], Math.max(sides, side + 1));
    }
  };
  extend([], 0);
  return found;
}

/** The same partition after instance `i` was renamed to `permutation[i]`. */
export function renamed(partition: readonly number[], permutation: readonly number[]): number[] {
  const moved = new Array<number>(partition.length).fill(0);
  for (const [id, side] of partition.entries()) moved[permutation[id] as number] = side;
  const numbers = new Map<number, number>();
  return moved.map((side) => {
    const number = numbers.get(side) ?? numbers.size;
    numbers.set(side, number);
    return number;
  });
}

/** All orders of the items. */
export function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, place) =>
    permutationsOf(items.filter((_, other) => other !== place)).map((rest) => [first, ...rest]),
  );
}

/** All sets of so many of the items, lexicographic. */
export function subsetsOf<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((first, place) => subsetsOf(items.slice(place + 1), size - 1).map((rest) => [first, ...rest]));
}
