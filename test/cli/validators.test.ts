import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256Hex, ZERO_HASH } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { startFakeNode, STATUS } from './fake-node.ts';
import { run } from './terminal.ts';

const SCHEMA_3 = {
  id: sha256Hex(utf8('a proposal')),
  proposer: STATUS.peerId,
  action: { kind: 'schemaActivated', schema: 3, fromHeight: 900 },
  expires: 1_724_673_600,
  approvedBy: [STATUS.peerId],
} as const;

/** Of a node in this directory. @returns the name of its file */
async function configIn(directory: string): Promise<string> {
  await writeFile(
    join(directory, 'config.json'),
    JSON.stringify({ genesis: 'genesis.json', dataDirectory: directory }),
  );
  return 'config.json';
}

describe('validators', () => {
  test('lists what is open, with what it takes', async () => {
    const { directory } = await startFakeNode({ proposals: [SCHEMA_3] });
    const told = await run(['validators', 'proposals', '--data', '.'], directory);
    expect(told.exit).toBe(0);
    expect(told.out).toMatch(/^action +event schema 3 from height 900 on$/m);
    expect(told.out).toMatch(/^approvals +1, 3 are needed$/m);
    const { json } = await run(['validators', 'proposals', '--data', '.', '--json'], directory);
    expect(json()).toEqual([SCHEMA_3]);
    const none = await startFakeNode();
    expect((await run(['validators', 'proposals', '--data', '.'], none.directory)).out).toContain(
      'no proposal is open',
    );
  });

  test('lets nobody propose or approve a schema that the validator itself does not know', async () => {
    const { directory } = await startFakeNode({ proposals: [SCHEMA_3] });
    const config = ['--config', await configIn(directory)];
    const approved = await run(['validators', 'approve', SCHEMA_3.id, ...config], directory);
    expect(approved).toMatchObject({ exit: 1, code: 'schema-not-known' });
    const proposed = await run(['validators', 'propose', 'schema', '3', ...config], directory);
    expect(proposed).toMatchObject({ exit: 1, code: 'schema-not-known' });
  });

  test('refuses a proposal that is not open, an id that is none, and a node that is no validator', async () => {
    const { directory } = await startFakeNode();
    const config = ['--config', await configIn(directory)];
    const approve = (id: string) => run(['validators', 'approve', id, ...config], directory);
    expect(await approve(ZERO_HASH)).toMatchObject({ code: 'proposal-unknown' });
    expect(await approve('last')).toMatchObject({ exit: 2, code: 'usage' });
    const observer = await startFakeNode({ index: null, role: 'observer' });
    const other = ['--config', await configIn(observer.directory)];
    const proposed = await run(['validators', 'propose', 'schema', '2', ...other], observer.directory);
    expect(proposed).toMatchObject({ code: 'not-a-validator' });
  });
});
