import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../../src/node/config.ts';
import { openLedger } from '../../../src/node/open-ledger.ts';
import { restoreEngine } from '../../../src/node/restore-engine.ts';
import { restoreLedger } from '../../../src/node/snapshot/restore-ledger.ts';
import { SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../../src/node/snapshot/snapshot-source.ts';
import { genesisCertificate } from '../../../src/qc/certificate.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { silentLog } from '../silent-log.ts';
import { emptyPlace, sharedDirectory, snapshotIn, testLedger, type TestLedger } from './ledger.ts';

const HEIGHT = 4;
/** Signed the seal of the head. */
const SIGNER = 0;
/** Signed nothing that the snapshot shows. */
const OTHER = 3;

let shared: string;
let ledger: TestLedger;

beforeAll(async () => {
  shared = await sharedDirectory();
  ledger = await testLedger(HEIGHT, shared);
  await snapshotIn(ledger);
});

afterAll(() => rm(shared, { recursive: true, force: true }));

/** @param isMarked whether the mark that the key has signed nothing lies beside it */
async function restoredValidator(index: number, isMarked: boolean) {
  const { chain, config } = ledger;
  const place = await emptyPlace(chain);
  await restoreLedger({
    dataDirectory: place.config.dataDirectory,
    genesis: chain.genesis,
    validatorKey: null,
    source: await snapshotInFolder(SnapshotFolder.of(config.dataDirectory), HEIGHT),
    threads: 1,
    onProgress: () => undefined,
  });
  const opened = await openLedger(place.config.dataDirectory, chain.genesis, null);
  onTestFinished(() => opened.store.close());
  const core = {
    config: parseConfig({ genesis: 'genesis.json', dataDirectory: 'data' }),
    context: {
      chainId: chain.chainId,
      validators: chain.validators,
      genesis: genesisCertificate(0, chain.state.block.id),
    },
    genesis: chain.genesis,
    ledger: opened,
    log: silentLog,
    scheme: nativeScheme,
  };
  const neverSigned = { isThere: () => Promise.resolve(isMarked), remove: () => Promise.resolve() };
  return restoreEngine(core, { index, blsSecretKey: chain.secretKeyOf(index), neverSigned });
}

describe('a validator in a directory that was restored from a snapshot', () => {
  test('follows from the head of the snapshot and signs nothing, as nobody knows what its key signed', async () => {
    const engine = await restoredValidator(OTHER, false);
    expect(engine.status()).toMatchObject({ height: HEIGHT, headId: ledger.chain.head.id });
    expect(engine.status().silentBecause).toMatch(/no safety record/);
  });

  test('waits for a quorum to tell what they hold of it, when its key is marked as one that has signed nothing', async () => {
    const engine = await restoredValidator(OTHER, true);
    expect(engine.status().silentBecause).toMatch(/^After a start a validator signs only when a quorum has told/);
    // From the seal of the snapshot's block.
    expect(engine.status().highCertificateRound).toBeGreaterThan(0);
  });

  test('does not believe the mark against its own signature in the seal of the snapshot', async () => {
    const engine = await restoredValidator(SIGNER, true);
    expect(engine.status().silentBecause).toMatch(/^Others hold votes or timeouts of this validator/);
  });
});
