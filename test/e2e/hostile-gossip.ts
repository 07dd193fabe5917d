/** Blocks that a stranger announces as committed, each with the code with which a node must refuse it in its log. */
import { unwrap } from '../../src/base/result.ts';
import {
  decodeSealedBlock,
  encodeSealedBlock,
  makeBlock,
  peekBlockId,
  type Block,
  type BlockHeader,
} from '../../src/ledger/block.ts';
import { decodeCommitProof, encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { LedgerGossip } from '../../src/net/gossip.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';
import { stranger } from './stranger.ts';

export interface HostileBlock {
  readonly name: string;
  readonly message: Uint8Array;
  readonly code: string;
}

/**
 * Each is a block that never was, made of one that was, so that nobody has heard of it before.
 *
 * @param sealedBytes a committed block, sealed by its own certificate
 */
export function hostileBlocks(chainId: string, sealedBytes: Uint8Array): HostileBlock[] {
  const { block, seal } = unwrap(decodeSealedBlock(chainId, sealedBytes));
  const { certificate } = unwrap(decodeCommitProof(seal.bytes));
  const { commit } = certificate.vote;
  if (commit === null || commit.blockId !== block.id) throw new Error('the block is sealed by its own certificate');
  let later = 0;
  const forged = (header: Partial<BlockHeader>, over: Partial<QuorumCertificate> = {}): Uint8Array => {
    later += 1;
    const fields = { ...block.header, timestamp: block.header.timestamp + later, ...header };
    const fake = makeBlock(fields, block.events);
    const { epoch, height, nextValidatorSet, round, stateRoot } = fake.header;
    const named = { blockId: fake.id, height, nextValidatorSet, round, stateRoot };
    const proof = { certificate: { ...certificate, epoch, vote: { ...certificate.vote, commit: named }, ...over } };
    const bytes = encodeCommitProof({ ...proof, descendants: [] });
    return encodeSealedBlock({ block: fake, seal: { kind: 'hotstuff', bytes } });
  };
  const { signers } = certificate;
  const absent = [0, 1, 2, 3].find((index) => !signers.includes(index)) ?? 0;
  const others = [...signers.slice(1), absent].sort((a, b) => a - b);
  const raft = { kind: 'raft', bytes: seal.bytes } as const;
  const unsealed = (after: number): Block =>
    makeBlock({ ...block.header, timestamp: block.header.timestamp + after }, block.events);
  return [
    { name: 'a certificate of another vote', message: forged({}), code: 'certificate-invalid' },
    { name: 'too few signers', message: forged({}, { signers: signers.slice(0, 2) }), code: 'quorum-missing' },
    { name: 'a bitmap of others', message: forged({}, { signers: others }), code: 'certificate-invalid' },
    { name: 'a bitmap of strangers', message: forged({}, { signers: [0, 1, 9] }), code: 'signer-unknown' },
    { name: 'another state', message: forged({ stateRoot: block.id }), code: 'certificate-invalid' },
    { name: 'another chain', message: forged({ chainId: `other-${chainId.slice(-32)}` }), code: 'chain-id-mismatch' },
    { name: 'another epoch', message: forged({ epoch: 1 }), code: 'epoch-mismatch' },
    {
      name: 'a seal of another block',
      message: encodeSealedBlock({ block: unsealed(100), seal }),
      code: 'seal-names-another-block',
    },
    {
      name: 'a seal of another engine',
      message: encodeSealedBlock({ block: unsealed(101), seal: raft }),
      code: 'trust-crash-only',
    },
    { name: 'random bytes', message: new Uint8Array(300).fill(0xc1), code: 'undecodable' },
  ];
}

/** Announces it to one node, as a peer that is new: nobody hears one for long that announces what is false. */
export async function announce(network: TestNetwork, to: string, message: Uint8Array): Promise<void> {
  const host = await stranger(network, { gossip: { messageId: peekBlockId } });
  const gossip = new LedgerGossip({
    host,
    chainId: network.chainId,
    validate: () => 'accept',
    onMessage: () => undefined,
  });
  gossip.start();
  await host.connect(network.target(to), { deadlineMs: 5_000 });
  await eventually('the node is known to follow the topic', () => gossip.subscribers().length > 0 || undefined);
  await gossip.publish(message);
}
