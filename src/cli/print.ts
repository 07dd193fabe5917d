/** How commands print what they found: aligned facts for people, one JSON object for programs. */
import { stringifyWithDigits } from '../ledger/record-view.ts';
import type { Terminal } from './terminal.ts';

export type Fact = readonly [name: string, value: string | number | boolean | null];

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(stringifyWithDigits(value));
}

/** Names padded to one width, values beside them. */
export function printFacts(terminal: Terminal, facts: readonly Fact[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) terminal.out(`${name.padEnd(width)}  ${String(value ?? '-')}`.trimEnd());
}

/** `141 MB`, powers of ten. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}

/** `850 ms`, `12.3 s`, `4 min`, `3.5 h`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  if (milliseconds < 7_200_000) return `${Math.round(milliseconds / 60_000)} min`;
  return `${(milliseconds / 3_600_000).toFixed(1)} h`;
}
