/** Thrown when the program itself is wrong. Never caught to go on: the process stops with its state intact. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
  readonly code = 'assertion-failed';
  readonly numbers: Readonly<Record<string, unknown>>;

  constructor(fact: string, numbers: Readonly<Record<string, unknown>>) {
    super(`${fact} ${JSON.stringify(numbers, bigintAsText)}`);
    this.numbers = numbers;
  }
}

/**
 * States a fact that only our own bug can break. Kept on in production.
 *
 * @param fact the fact, stated positively: `'the parent is held'`
 * @param numbers what a reader needs to understand the failure
 * @throws AssertionError
 */
export function assert(
  condition: unknown,
  fact: string,
  numbers: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new AssertionError(fact, numbers);
}

/** The end of an exhaustive `switch`: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError('every case is handled', { value });
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
