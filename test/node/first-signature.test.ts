import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { rm } from 'node:fs/promises';
import { encodeSafetyRecord, firstSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { safetyRecordOps } from '../../src/ledger/block-log.ts';
import { generateBlsKey, neverSignedMark, saveBlsKey } from '../../src/node/bls-key.ts';
import { maySign } from '../../src/node/first-signature.ts';
import { markFile } from '../../src/node/mark-file.ts';
import { openLedger, type OpenLedger } from '../../src/node/open-ledger.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { SealedChain } from '../ledger/chain.ts';
import { temporaryDirectory } from './directory.ts';

const { genesis, state } = new SealedChain();
const certificate = genesisCertificate(0, state.block.id);
const first = firstSafetyRecord(certificate);

let keyFile: string;
let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  keyFile = join(directory, 'bls_key');
  await saveBlsKey(keyFile, generateBlsKey());
});

async function opened(path = join(directory, 'data')): Promise<OpenLedger> {
  const ledger = await openLedger(path, genesis, null);
  onTestFinished(() => ledger.store.close());
  return ledger;
}

const isMarked = () =>
  stat(neverSignedMark(keyFile)).then(
    () => true,
    () => false,
  );

describe('a validator may sign', () => {
  test('with a key that signed nothing: its first safety record is on disk before the mark is gone', async () => {
    const ledger = await opened();
    const order: string[] = [];
    const batch = ledger.store.batch.bind(ledger.store);
    ledger.store.batch = async (operations, options) => {
      await batch(operations, options);
      order.push(`${options.sync ? 'synced' : 'unsynced'}, ${(await isMarked()) ? 'marked' : 'no mark'}`);
    };
    expect(await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate)).toEqual({
      record: first,
      silence: null,
    });
    expect(order).toEqual(['synced, marked']);
    expect(await isMarked()).toBe(false);
    expect(ledger.log.safetyRecord()).toEqual(encodeSafetyRecord(first));
  });

  test('with the record that it wrote', async () => {
    const ledger = await opened();
    await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate);
    const later = { ...first, lastVotedRound: 7 };
    await ledger.store.batch(safetyRecordOps(encodeSafetyRecord(later)), { sync: true });
    expect(await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate)).toMatchObject({
      record: { lastVotedRound: 7 },
      silence: null,
    });
  });

  test('after a crash between record and mark, which is then taken away', async () => {
    const ledger = await opened();
    await ledger.store.batch(safetyRecordOps(encodeSafetyRecord(first)), { sync: true });
    expect(await isMarked()).toBe(true);
    expect(await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate)).toEqual({
      record: first,
      silence: null,
    });
    expect(await isMarked()).toBe(false);
  });
});

describe('a validator never signs', () => {
  test('after its data directory was lost', async () => {
    const ledger = await opened();
    await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate);
    await ledger.store.close();
    await rm(join(directory, 'data'), { recursive: true });
    const empty = await opened();
    expect(await maySign(empty, markFile(neverSignedMark(keyFile)), certificate)).toMatchObject({
      record: null,
      silence: { code: 'safety-record-missing' },
    });
    expect(empty.log.safetyRecord()).toBeUndefined();
  });

  test('with a second directory beside the first', async () => {
    await maySign(await opened(), markFile(neverSignedMark(keyFile)), certificate);
    const second = await opened(join(directory, 'elsewhere'));
    expect((await maySign(second, markFile(neverSignedMark(keyFile)), certificate)).silence?.code).toBe(
      'safety-record-missing',
    );
  });

  test('on a record that it cannot read', async () => {
    const ledger = await opened();
    await ledger.store.batch(safetyRecordOps(Uint8Array.of(1, 2, 3)), { sync: true });
    const { record, silence } = await maySign(ledger, markFile(neverSignedMark(keyFile)), certificate);
    expect(record).toBeNull();
    expect(silence).not.toBeNull();
  });
});
