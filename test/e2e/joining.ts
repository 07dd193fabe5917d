/** What tests of joining ask of a network: load that goes on, and a snapshot that two of its validators have. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';
import type { Load } from './load.ts';

export function acknowledgedMore(load: Load, count: number): Promise<true> {
  const wanted = load.acknowledged.length + count;
  return eventually(`${count} more events are acknowledged`, () => load.acknowledged.length >= wanted || undefined);
}

export function configOf(network: TestNetwork, name: string): string {
  return network.node(name).configFile;
}

/** Of one that stops for it, and copied to another. @returns its height */
export async function snapshotOf(network: TestNetwork, name: string, copyTo: string): Promise<number> {
  await network.stop(name);
  const made = await network.run('snapshot', 'create', '--config', configOf(network, name), '--json');
  expect(made.exit, made.err).toBe(0);
  await network.startNodes([name]);
  const { height } = made.json() as { readonly height: number };
  const within = ['snapshots', String(height)];
  await cp(join(network.node(name).dataDirectory, ...within), join(network.node(copyTo).dataDirectory, ...within), {
    recursive: true,
  });
  return height;
}
