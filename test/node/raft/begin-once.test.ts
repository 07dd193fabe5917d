/** Who begins a cluster: a member that has no log, once, with a key that never voted. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { generateIdentityKey, neverVotedMark, saveIdentityKey, saveNewIdentityKey } from '../../../src/node/keys.ts';
import { beginOnce } from '../../../src/node/raft/begin-once.ts';
import { isBlank } from '../../../src/node/raft/open-server.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { temporaryDirectory } from '../directory.ts';

const VOTERS = [{ id: 'a', address: '127.0.0.1:1' }];

let identityKeyFile: string;
let stores = 0;
const warned: unknown[] = [];
const log = { info: () => undefined, warn: (facts: unknown) => void warned.push(facts) };

beforeEach(async () => {
  identityKeyFile = join(await temporaryDirectory(), 'key');
  warned.length = 0;
});

async function emptyStore(): Promise<LevelStore> {
  const store = await LevelStore.open(join(await temporaryDirectory(), String(stores++)), { create: true });
  onTestFinished(() => store.close());
  return store;
}

const begin = (store: LevelStore, bootstrap = VOTERS) =>
  beginOnce(store, { identityKeyFile, raft: { bootstrap } }, log);
const isMarked = () => existsSync(neverVotedMark(identityKeyFile));

test('a new key begins one, and loses its mark; the next start finds the log', async () => {
  await saveNewIdentityKey(identityKeyFile, generateIdentityKey('ed25519'));
  const store = await emptyStore();
  expect([await begin(store), await isBlank(store), isMarked()]).toEqual([true, false, false]);
  expect([await begin(store), warned]).toEqual([true, []]);
});

test('a member that lost its log begins none, and says why; so does one with a key of another place', async () => {
  await saveNewIdentityKey(identityKeyFile, generateIdentityKey('ed25519'));
  await begin(await emptyStore());
  const emptied = await emptyStore();
  expect([await begin(emptied), await isBlank(emptied)]).toEqual([false, true]);
  expect(warned).toMatchObject([{ code: 'raft-may-have-voted', mark: neverVotedMark(identityKeyFile) }]);

  identityKeyFile = join(await temporaryDirectory(), 'older');
  await saveIdentityKey(identityKeyFile, generateIdentityKey('ed25519'));
  expect(await begin(emptied)).toBe(false);
});

test('a member that is to be taken in keeps its mark until it has a log, which another may have sent', async () => {
  await saveNewIdentityKey(identityKeyFile, generateIdentityKey('ed25519'));
  const store = await emptyStore();
  expect([await begin(store, []), isMarked(), warned]).toEqual([false, true, []]);
  await begin(store);
  await saveNewIdentityKey(`${identityKeyFile}-2`, generateIdentityKey('ed25519'));
  identityKeyFile = `${identityKeyFile}-2`;
  expect([await begin(store, []), isMarked()]).toEqual([true, false]);
});
