/** One table for people and one JSON for comparison. Every figure is beside what it is judged by, of the same run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine, Summary } from './measure.ts';

export interface Measurement {
  readonly what: string;
  readonly value: number;
  readonly unit: 'us' | 'ms' | 's' | '1/s' | 'MB' | '';
  readonly p99Ms?: number;
  readonly ratios?: readonly Ratio[];
}

export interface Ratio {
  /** What the value is divided by, measured in the same run. */
  readonly of: string;
  readonly value: number;
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
}

export interface Part {
  readonly name: string;
  readonly measurements: readonly Measurement[];
}

export interface Report {
  readonly startedAt: string;
  readonly machine: Machine;
  readonly parts: readonly Part[];
}

/** A latency: its median, with the ninety-ninth percentile beside it. */
export function latency(what: string, summary: Summary, ratios: readonly Ratio[] = []): Measurement {
  return { what, value: summary.p50Ms, unit: 'ms', p99Ms: summary.p99Ms, ratios };
}

/** @returns undefined where the ratio has no target */
export function isReached({ value, target }: Ratio): boolean | undefined {
  if (target === undefined) return undefined;
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}

export function table({ machine, parts }: Report): string {
  const rows = parts.flatMap(({ name, measurements }) => [[name], ...measurements.flatMap(rowsOf)]);
  const columns = [0, 1, 2, 3, 4].map((i) =>
    Math.max(...rows.filter((row) => row.length > 1).map((row) => row[i]!.length)),
  );
  const lines = rows.map((row) =>
    row.length === 1
      ? `\n${row[0]!}`
      : row
          .map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(columns[i]!) : cell.padStart(columns[i]!)))
          .join('  ')
          .trimEnd(),
  );
  return [`${machine.cores} cores of ${machine.processor}, Node ${machine.node}`, ...lines].join('\n');
}

/** The figure with its first ratio, then a row for each ratio more. */
function rowsOf({ what, value, unit, p99Ms, ratios = [] }: Measurement): string[][] {
  const p99 = p99Ms === undefined ? '' : `p99 ${figure(p99Ms)}`;
  const [first, ...others] = ratios.map((ratio) => [`${figure(ratio.value)} x ${ratio.of}`, verdictOf(ratio)]);
  return [
    [`  ${what}`, `${figure(value)} ${unit}`.trimEnd(), p99, ...(first ?? ['', ''])],
    ...others.map((ratio) => ['', '', '', ...ratio]),
  ];
}

function verdictOf(ratio: Ratio): string {
  const { target } = ratio;
  if (target === undefined) return '';
  const bound = 'atMost' in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
  return `${isReached(ratio) ? 'reached' : 'MISSED'}: ${bound}`;
}

/** Three significant digits, and whole numbers from a thousand on. */
function figure(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** @returns the path of the file */
export function save(report: Report, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${report.startedAt.replaceAll(':', '-')}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}
