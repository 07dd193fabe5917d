import { describe, expect, test } from 'vitest';
import type { Hash } from '../../src/base/hash.ts';
import { encodeSafetyRecord, firstSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { safetyRecordOps, uncommittedBlockOps } from '../../src/ledger/block-log.ts';
import { encodeSealedBlock, makeBlock, type Block } from '../../src/ledger/block.ts';
import { blockKey, uncommittedKey } from '../../src/ledger/layout.ts';
import { parseConfig } from '../../src/node/config.ts';
import { restoreEngine } from '../../src/node/restore-engine.ts';
import { certificateDigest, certificateVerifiedBefore, genesisCertificate } from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { flipped } from '../flipped.ts';
import { SealedChain } from '../ledger/chain.ts';
import { secretKey } from '../qc/validators.ts';
import { followingLedger } from './opened.ts';
import { silentLog } from './silent-log.ts';

const refused = expect.objectContaining({ code: 'store-corrupt' }) as Error;

/** A validator's directory whose head is of round 1, with a block of round 2 on it, and a record of its vote for that. */
async function directory(lastVotedRound = 2) {
  const chain = new SealedChain();
  const { commit, ledger } = await followingLedger(chain);
  const head = (await commit([chain.join(1)])).sealed;
  const first = genesisCertificate(0, chain.state.block.id);
  const justify = certificateOn(chain, head.block);
  const block = childOf(head.block, certificateDigest(justify));
  const stored = encodeStoredBlock({ block, justify });
  await ledger.store.batch(uncommittedBlockOps([{ id: block.id, bytes: stored }]), { sync: true });
  const record = { ...firstSafetyRecord(first), lastVotedRound, highCertificate: certificateVerifiedBefore(justify) };
  await ledger.store.batch(safetyRecordOps(encodeSafetyRecord(record)), { sync: true });
  const core = {
    config: parseConfig({ genesis: 'genesis.json', dataDirectory: 'data' }),
    context: { chainId: chain.chainId, validators: chain.validators, genesis: first },
    genesis: chain.genesis,
    ledger,
    log: silentLog,
    scheme: nativeScheme,
  };
  const seat = {
    index: 3,
    blsSecretKey: secretKey(3),
    neverSigned: { isThere: () => Promise.resolve(false), remove: () => Promise.resolve() },
  };
  const put = (key: Uint8Array, value: Uint8Array) => ledger.store.batch([{ kind: 'put', key, value }], { sync: true });
  return { block, head, put, restore: () => restoreEngine(core, seat), stored };
}

function certificateOn(chain: SealedChain, { header, id }: Block) {
  const certificate = chain.certificateNaming({ header, id });
  const vote = { round: header.round, blockId: id, parentRound: 0, parentId: header.parentId, commit: null };
  return { ...certificate, vote };
}

function childOf({ header, id }: Block, justifyDigest: Hash): Block {
  return makeBlock({ ...header, round: 2, height: header.height + 1, parentId: id, justifyDigest }, []);
}

describe('a validator that starts again', () => {
  test('goes on from its head, its record and its blocks', async () => {
    const { restore } = await directory();
    expect((await restore()).status()).toMatchObject({
      height: 1,
      highCertificateRound: 2,
      silentBecause: expect.stringMatching(/^After a start/) as string,
    });
  });

  test('does not sign with a record that is older than a block beside it: the record came back from before', async () => {
    const { restore } = await directory(1);
    expect((await restore()).status().silentBecause).toBe(
      'the disk holds a block of a later round than the safety record',
    );
  });

  test('refuses a head whose seal was changed: what it says of rounds would be believed', async () => {
    const { head, put, restore } = await directory();
    const { bytes } = head.seal;
    for (let bit = 0; bit < 8 * bytes.length; bit += 37) {
      await put(blockKey(1), encodeSealedBlock({ ...head, seal: { ...head.seal, bytes: flipped(bytes, bit) } }));
      await expect(restore()).rejects.toThrow(refused);
    }
  });

  test('refuses an uncommitted block that was changed, with its certificate, or lies under another id', async () => {
    const { block, head, put, restore, stored } = await directory();
    for (let bit = 0; bit < 8 * stored.length; bit += 37) {
      await put(uncommittedKey(block.id), flipped(stored, bit));
      await expect(restore()).rejects.toThrow(refused);
    }
    await put(uncommittedKey(block.id), stored);
    await restore();
    await put(uncommittedKey(head.block.id), stored);
    await expect(restore()).rejects.toThrow(refused);
  });
});
