import { beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { encodeSealedBlock, makeBlock } from '../../src/ledger/block.ts';
import { verifyManifest, type SnapshotManifest } from '../../src/ledger/snapshot-manifest.ts';
import { trustGenesis, type EpochProof, type TrustedChain } from '../../src/ledger/trusted-chain.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { encodeValidatorSet, makeValidatorSet } from '../../src/qc/validator-set.ts';
import { genesisValidator, SealedChain } from './chain.ts';
import { codeOf } from './nodes.ts';
import { Cluster, Replica } from './raft-cluster.ts';
import { manifestBytesOf } from './snapshots.ts';

let chain: SealedChain;
let trusted: TrustedChain;

beforeAll(() => {
  chain = new SealedChain();
  for (let node = 1; node <= 5; node++) chain.commit([chain.join(node)]);
  trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
});

const verify = (more: Partial<SnapshotManifest> = {}, trust = trusted) =>
  verifyManifest(manifestBytesOf(chain, 2, more), trust, nativeScheme);

describe('the manifest of a snapshot', () => {
  test('says at which state root the ledger stands, to one who holds the genesis alone', () => {
    const { manifest, sealed, validators } = unwrap(verify());
    expect(sealed.block.id).toBe(chain.head.id);
    expect(sealed.block.header.stateRoot).toBe(chain.machine.head.stateRoot);
    expect(validators.digest).toBe(chain.validators.digest);
    expect(manifest).toMatchObject({ height: 5, depth: 2, entries: chain.backing.entries.size });
  });

  test('is refused when it is of another chain, of another form, or contradicts itself', () => {
    expect(codeOf(verify({ chainId: 'another' }))).toBe('snapshot-of-another-chain');
    expect(codeOf(verify({ version: 2 }))).toBe('snapshot-version-unknown');
    expect(codeOf(verify({ height: 4 }))).toBe('snapshot-manifest-invalid');
    expect(codeOf(verify({ depth: 17 }))).toBe('undecodable');
  });

  test('is refused when no quorum sealed its block', () => {
    const { block } = chain.sealedAt(5);
    const { seal } = chain.sealedAt(4);
    expect(codeOf(verify({ sealed: encodeSealedBlock({ block, seal }) }))).toBe('seal-names-another-block');
    const other = makeBlock({ ...block.header, stateRoot: chain.state.block.header.stateRoot }, []);
    const sealed = encodeSealedBlock({ block: other, seal: chain.sealedAt(5).seal });
    expect(codeOf(verify({ sealed, height: 5 }))).toBe('seal-names-another-block');
  });

  test('at genesis proves nothing that the genesis file does not say', () => {
    const sealed = encodeSealedBlock(chain.state.sealed);
    expect(codeOf(verify({ sealed, height: 0 }))).toBe('snapshot-of-genesis');
  });

  test('of a Raft epoch is refused: nobody signed its block', () => {
    const cluster = new Cluster();
    const replica = new Replica(cluster);
    const head = replica.first.sealed;
    const trust = unwrap(trustGenesis(cluster.genesis, nativeScheme));
    expect(head.seal.kind).toBe('raft');
    const sealed = encodeSealedBlock(head);
    const { chainId, height } = head.block.header;
    expect(codeOf(verify({ sealed, chainId, height }, trust))).toBe('snapshot-crash-only');
  });
});

describe('the epoch proofs of a manifest', () => {
  const nextValidators = () =>
    unwrap(
      makeValidatorSet(
        1,
        [0, 1, 2, 3].map((number) => genesisValidator(number)),
        nativeScheme,
      ),
    );

  /** A block of epoch 1, and the proof that its validators follow from those of genesis. */
  function inEpochOne(): { readonly sealed: Uint8Array; readonly proof: EpochProof } {
    const next = nextValidators();
    const last = makeBlock({ ...chain.head.header, nextValidatorSet: next.digest }, []);
    const proof = { certificate: chain.certificateNaming(last), validators: encodeValidatorSet(next) };
    const { header } = chain.head;
    const block = makeBlock({ ...header, epoch: 1, round: 1, height: header.height + 1, parentId: last.id }, []);
    return { sealed: encodeSealedBlock({ block, seal: chain.seal(block) }), proof };
  }

  test('lead from genesis to the validators of its block, and from a later epoch that is trusted already', () => {
    const { proof, sealed } = inEpochOne();
    const more = { sealed, height: 6, epochProofs: [proof] };
    expect(unwrap(verify(more)).validators.epoch).toBe(1);
    expect(codeOf(verify(more, { ...trusted, validators: nextValidators() }))).toBe('applied');
  });

  test('are refused when one is missing, too many, or of validators that nobody certified', () => {
    const { proof, sealed } = inEpochOne();
    const at = (epochProofs: readonly EpochProof[]) => codeOf(verify({ sealed, height: 6, epochProofs }));
    expect(at([])).toBe('epoch-unproven');
    expect(at([proof, proof])).toBe('epoch-unproven');
    expect(at([{ ...proof, validators: encodeValidatorSet(chain.validators) }])).toBe('validator-set-mismatch');
    expect(codeOf(verify({ epochProofs: [proof] }))).toBe('epoch-unproven');
  });
});
