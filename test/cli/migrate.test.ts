import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { LAYOUT_VERSION } from '../../src/ledger/layout.ts';
import { copyOf, filesOf } from '../node/migrate/directories.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { run } from './terminal.ts';

describe('hotledger migrate', () => {
  test('tells what there is to do, tries it, does it, and undoes it', async () => {
    const { directory, data } = await copyOf('layout-1');
    const before = await filesOf(directory);
    const older = await run(['migrate', 'status', '--data', data], directory);
    expect(older).toMatchObject({ exit: 1, code: 'layout-older' });
    expect(older.out).toMatch(/^layout +1\n.* to do: /ms);
    const trial = await run(['migrate', 'dry-run', '--data', 'data'], directory);
    expect(trial.exit).toBe(0);
    expect(trial.out).toMatch(/^takes about +\d/m);
    expect(await filesOf(directory)).toEqual(before);

    const up = await run(['migrate', 'up', '--config', 'config.json'], directory);
    expect(up).toMatchObject({ exit: 0, err: '' });
    expect(up.out).toMatch(new RegExp(`^backup .*/ledger\\.layout-1 .*^layout +${LAYOUT_VERSION}$`, 'ms'));
    const status = await run(['migrate', 'status', '--data', data, '--json'], directory);
    expect(status.exit).toBe(0);
    expect(status.json()).toMatchObject({ layout: LAYOUT_VERSION, newest: LAYOUT_VERSION, refusal: null });
    expect((await run(['migrate', 'up', '--data', data], directory)).out).toContain('nothing to do');

    const down = await run(['migrate', 'down', '--to', '1', '--no-backup', '--data', data, '--json'], directory);
    expect(down.json()).toMatchObject({ from: LAYOUT_VERSION, to: 1, backup: null });
    expect(await readdir(data)).toEqual(['ledger', 'ledger.layout-1']);
  });

  test('with --json prints errors as JSON, with the same exit codes', async () => {
    const { directory, data } = await copyOf('layout-1');
    const status = await run(['migrate', 'status', '--data', data, '--json'], directory);
    expect(status.exit).toBe(1);
    expect(status.json()).toMatchObject({ layout: 1, refusal: { code: 'layout-older' } });
    const target = await run(['migrate', 'up', '--to', '99', '--data', data, '--json'], directory);
    expect(target.exit).toBe(1);
    expect(target.json()).toMatchObject({ error: { code: 'migration-target' } });
  });

  test('without a node, or where there is none, says so', async () => {
    const directory = await temporaryDirectory();
    expect(await run(['migrate', 'status'], directory)).toMatchObject({ exit: 2, code: 'usage' });
    expect(await run(['migrate', 'up', '--data', 'x'], directory)).toMatchObject({ exit: 1, code: 'store-missing' });
  });

  test.each(['status', 'dry-run', 'up', 'down'])('%s --help has an example', async (command) => {
    const { out } = await run(['migrate', command, '--help'], '/');
    expect(out).toMatch(/^Examples?:\n {2}/m);
    expect(out).toContain(`hotledger migrate ${command}`);
  });
});
