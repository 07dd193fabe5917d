/**
 * `npm run bench`: the floors of this machine, the bare skeleton of the protocol, then real validators, in one run.
 * Prints one table and writes one JSON to bench/results.
 *
 *     node bench/main.ts [--only floors,skeleton] [--commits 300] [--dir DIR] [--json]
 *
 * Run it on a machine that does nothing else. Ratios are more reliable than the absolute figures.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureFloors, type Floors } from './floors.ts';
import { machine } from './measure.ts';
import { latency, save, table, type Part, type Report } from './report.ts';
import { runSkeleton, type SkeletonResult } from './skeleton/main.ts';

const EVENT_BYTES = 300;

const { values: options } = parseArgs({
  options: {
    /** Names of parts, with commas; all without it. The floors are always measured: the rest is judged by them. */
    only: { type: 'string', default: '' },
    commits: { type: 'string', default: '300' },
    /** On the disk that is to be measured. */
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});

const startedAt = new Date().toISOString();
const only = options.only === '' ? null : options.only.split(',');
const wanted = (name: string): boolean => only === null || only.includes(name);
const parts: Part[] = [];

const floors = await measureFloors(options.dir);
parts.push(floorsPart(floors));
if (wanted('skeleton')) {
  parts.push(skeletonPart(await runSkeleton(Number(options.commits), EVENT_BYTES, options.dir), floors));
}

const report: Report = { startedAt, machine: machine(), parts };
const path = save(report, join(import.meta.dirname, 'results'));
console.log(options.json ? JSON.stringify(report) : `${table(report)}\n\n${path}`);

function floorsPart(measured: Floors): Part {
  return {
    name: 'Floors of this machine',
    measurements: [
      latency('append 4 KiB and fdatasync', measured.appendAndSync),
      latency('loopback round trip of 1 KiB', measured.loopbackRoundTrip),
      latency('S: verify ed25519', measured.ed25519Verify),
      latency('verify secp256k1', measured.secp256k1Verify),
      latency('BLS sign', measured.blsSign),
      latency('BLS aggregate 3', measured.blsAggregate),
      latency('V: BLS verify', measured.blsVerify),
      latency('BLS verify an aggregate of 3', measured.blsVerifyAggregate),
    ],
  };
}

function skeletonPart({ latency: measured, cpuPerCommitMs }: SkeletonResult, { blsVerify }: Floors): Part {
  const inV = (ms: number) => [{ of: 'V', value: ms / blsVerify.p50Ms }];
  return {
    name: 'Bare skeleton of the protocol: four processes, one event at a time',
    measurements: [
      latency('commit latency', measured, inV(measured.p50Ms)),
      { what: 'CPU a commit, all four', value: cpuPerCommitMs, unit: 'ms', ratios: inV(cpuPerCommitMs) },
    ],
  };
}
