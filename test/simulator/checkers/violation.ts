/** A promise of the system that did not hold. */
export interface Violation {
  /** The checker's name. */
  readonly checker: string;
  /** What should have been, and was not. */
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** Tells of a violation; a checker goes on, whoever runs it stops. */
export type Report = (violation: Violation) => void;

export function describeViolation({ checker, details, message }: Violation): string {
  const facts = Object.entries(details).map(([name, value]) => `${name}=${value}`);
  return `${checker}: not so: ${message} (${facts.join(', ')})`;
}
