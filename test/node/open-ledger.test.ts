import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { LAYOUT_KEY } from '../../src/ledger/layout.ts';
import { ledgerDirectory, openLedger } from '../../src/node/open-ledger.ts';
import { SealedChain } from '../ledger/chain.ts';
import { codeOf } from '../net/network.ts';
import { temporaryDirectory } from './directory.ts';
import { followingLedger } from './opened.ts';

const KEY = sha256Hex(utf8('a validator key'));
const { genesis } = new SealedChain();

test('an empty directory becomes a new ledger at genesis, and stays the one that it is', async () => {
  const directory = await temporaryDirectory();
  const first = await openLedger(directory, genesis, KEY);
  expect(first.machine.head).toMatchObject({ height: 0, stateRoot: first.genesisBlock.header.stateRoot });
  await first.store.close();
  const second = await openLedger(directory, genesis, KEY);
  expect(second.log.head()).toMatchObject({ height: 0, blockId: first.genesisBlock.id });
  await second.store.close();
});

test('a ledger opens at the head that was durable', async () => {
  const chain = new SealedChain();
  const { commit, commitInMemory, directory, ledger } = await followingLedger(chain);
  await commit([chain.join(1)]);
  const { block } = await commit([chain.join(2)]);
  commitInMemory([chain.join(3)]);
  await ledger.store.close();
  const again = await openLedger(directory, chain.genesis, null);
  expect(again.machine.head).toMatchObject({ height: 2, stateRoot: block.header.stateRoot });
  await again.store.close();
});

test('a directory of another chain, or of another validator key, is refused and left as it is', async () => {
  const directory = await temporaryDirectory();
  await (await openLedger(directory, genesis, KEY)).store.close();
  expect(await codeOf(openLedger(directory, { ...genesis, name: 'other' }, KEY))).toBe('chain-mismatch');
  expect(await codeOf(openLedger(directory, genesis, sha256Hex(utf8('another key'))))).toBe('key-mismatch');
  expect(await codeOf(openLedger(directory, genesis, null))).toBe('key-mismatch');
  await (await openLedger(directory, genesis, KEY)).store.close();
});

test('a directory that a running process has open is refused', async () => {
  const directory = await temporaryDirectory();
  const { store } = await openLedger(directory, genesis, KEY);
  expect(await codeOf(openLedger(directory, genesis, KEY))).toBe('store-locked');
  await store.close();
});

test('a half-written directory is refused: it must not pass for a new one', async () => {
  const directory = await temporaryDirectory();
  await (await openLedger(directory, genesis, KEY)).store.close();
  await rm(join(ledgerDirectory(directory), 'CURRENT'));
  expect(await codeOf(openLedger(directory, genesis, KEY))).toBe('store-corrupt');
  const tables = (await readdir(ledgerDirectory(directory))).filter((file) => file.startsWith('MANIFEST'));
  expect(tables).toHaveLength(1);
});

test('a store that holds something else is refused, and not written over', async () => {
  const directory = await temporaryDirectory();
  const { store } = await openLedger(directory, genesis, KEY);
  await store.batch([{ kind: 'delete', key: LAYOUT_KEY }], { sync: true });
  await store.close();
  expect(await codeOf(openLedger(directory, genesis, KEY))).toBe('store-corrupt');
});

test('the store is closed again when what it holds cannot be opened', async () => {
  const directory = await temporaryDirectory();
  await (await openLedger(directory, genesis, KEY)).store.close();
  expect(await codeOf(openLedger(directory, genesis, null))).toBe('key-mismatch');
  await (await openLedger(directory, genesis, KEY)).store.close();
});

test('a file in place of the directory is refused by code', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'data'));
  await writeFile(ledgerDirectory(join(directory, 'data')), 'not a directory');
  expect(await codeOf(openLedger(join(directory, 'data'), genesis, KEY))).toMatch(/^store-/);
});
