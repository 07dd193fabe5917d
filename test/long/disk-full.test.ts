/**
 * A validator whose disk is full, on a small file system of its own: it stops by its code rather than guess, the others
 * go on, and once there is space it comes back with everything that it had acknowledged.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { needs } from '../needs.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const run = promisify(execFile);
const SIZE = '24m';

async function canMount(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  return run('unshare', ['--mount', 'true']).then(
    () => true,
    () => false,
  );
}

test.runIf(needs('the right to mount a file system', await canMount()))(
  'a validator whose disk is full stops by its code, and loses nothing once there is space',
  { timeout: 12 * 60_000 },
  async () => {
    const network = await TestNetwork.make({ observers: 0, settings: { log: { level: 'trace' } } });
    const validators = network.names();
    const [full = '', ...others] = validators;
    const { dataDirectory } = network.node(full);
    await mkdir(dataDirectory, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=700`, 'tmpfs', dataDirectory]);
    onTestFinished(() => run('umount', ['--lazy', dataDirectory]).then(() => undefined));
    await network.startNodes(validators);
    const load = new Load(network, 4);
    const reads = new Reads(network, { seed: 1, peerIds: load.authors.map(({ key }) => key.peerId) });
    const course: Course = { network, load, reads };
    await more(load, 10);

    const { bavail, bsize } = await statfs(dataDirectory);
    await writeFile(join(dataDirectory, 'ballast'), new Uint8Array(bavail * bsize)).catch(() => undefined);
    const end = await eventually('it stops', () => network.process(full).end);
    expect(end.code).toBe(1);
    expect(network.log(full)).toMatch(/"code":"store-disk-full"/);
    load.targets = others;
    await more(load, 10);
    const refused = await network.run('start', '--config', network.node(full).configFile);
    expect(refused).toMatchObject({ exit: 1, err: expect.stringContaining('store-disk-full') as string });

    await rm(join(dataDirectory, 'ballast'));
    await network.startNodes([full]);
    load.targets = validators;
    await resumes(course, 'the disk has space again');
    await more(load, 10);
    await verdict(course);
  },
);
