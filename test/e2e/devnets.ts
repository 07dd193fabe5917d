/** A devnet for some seconds, with the time of its nodes running fast, as its user runs it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DevnetSummary } from '../../src/cli/devnet/summary.ts';
import { LAUNCHER } from './harness.ts';

/** @param directory of the network, which the next devnet there goes on with */
export async function devnet(directory: string, ...flags: readonly string[]): Promise<DevnetSummary> {
  const argv = [LAUNCHER, 'devnet', '--dir', join(directory, 'net'), '--duration', '6s', '--speed', '600', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, [...argv, ...flags]);
  return JSON.parse(stdout) as DevnetSummary;
}
