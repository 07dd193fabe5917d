/**
 * What others can send wrong is not an exception but a value: a refusal with a stable code and its numbers.
 * Every code is listed in docs/errors.md.
 */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, Detail>>;
}

export type Detail = string | number | bigint | boolean | null;

export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
}

export type Result<T> = Ok<T> | Refused;

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

/** @param code kebab-case, stable, documented in docs/errors.md */
export function refuse(code: string, message: string, details: Readonly<Record<string, Detail>> = {}): Refused {
  return { ok: false, refusal: { code, message, details } };
}

/** A refusal as an exception, for the imperative shell and for callers of the public library. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: string;
  readonly details: Readonly<Record<string, Detail>>;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options);
    this.code = refusal.code;
    this.details = refusal.details;
  }
}

export function codedError(
  code: string,
  message: string,
  details: Readonly<Record<string, Detail>> = {},
  options?: ErrorOptions,
): CodedError {
  return new CodedError({ code, message, details }, options);
}

/** @throws CodedError when the result is a refusal */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new CodedError(result.refusal);
  return result.value;
}
