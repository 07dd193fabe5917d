/** Blocks and certificates for tests of single rules: well formed, executed by nobody and signed by nobody. */
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { commitInfoOf, type ChainLink, type CommitDepth } from '../../src/hotstuff/commit-rule.ts';
import { makeBlock, type Block } from '../../src/ledger/block.ts';
import { certificateDigest, certificateVerifiedBefore, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import { timeoutCertificateVerifiedBefore, type VerifiedTimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import { START, testChain } from './chain.ts';

export interface Link extends ChainLink {
  readonly block: Block;
  readonly parent: Link | null;
}

export const chain = testChain(4);
const { genesis, chainId, validators } = chain;

export const GENESIS: Link = { id: genesis.block.id, header: genesis.block.header, block: genesis.block, parent: null };

export function certificateOf(link: Link, depth: CommitDepth = 2): VerifiedCertificate {
  if (link.header.round === 0) return chain.genesisCertificate;
  return certificateVerifiedBefore({
    epoch: 0,
    vote: {
      round: link.header.round,
      blockId: link.id,
      parentRound: link.parent?.header.round ?? 0,
      parentId: link.header.parentId,
      commit: commitInfoOf(link, depth),
    },
    signers: [0, 1, 2],
    signature: new Uint8Array(96).fill(7),
  });
}

/** A block of this round on `parent`. @param name tells two of the same round apart */
export function linkOn(parent: Link, round: number, name = ''): Link {
  const block = makeBlock(
    {
      chainId,
      epoch: 0,
      round,
      height: parent.header.height + 1,
      parentId: parent.id,
      justifyDigest: certificateDigest(certificateOf(parent)),
      proposer: validators.member(round % 4).peerId,
      timestamp: START,
      stateRoot: sha256Hex(utf8(`state ${round} ${name}`)),
      nextValidatorSet: null,
    },
    [],
  );
  return { id: block.id, header: block.header, block, parent };
}

/** A chain over genesis with a block of each of these rounds. */
export function linksOf(...rounds: readonly number[]): Link[] {
  const links: Link[] = [];
  for (const round of rounds) links.push(linkOn(links.at(-1) ?? GENESIS, round));
  return links;
}

/** Of this round, signed by three who knew the certificate of `high`. */
export function timeoutCertificateOf(round: number, high: Link): VerifiedTimeoutCertificate {
  const highRound = high.header.round;
  return timeoutCertificateVerifiedBefore({
    epoch: 0,
    round,
    signers: [0, 1, 2],
    highRounds: [0, 0, highRound],
    signature: new Uint8Array(96).fill(8),
    highCertificate: certificateOf(high),
  });
}
