/**
 * A validator that signs what it must not, with its own key and nobody else's: two proposals and two votes for a round,
 * votes for blocks that nobody made, blocks with false roots, times and parents, certificates and timeouts that say
 * more than was signed.
 */
import { ZERO_HASH } from '../../src/base/hash.ts';
import type { HotstuffMessage, ProposalMessage, TimeoutMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { makeBlock, type Block, type BlockHeader } from '../../src/ledger/block.ts';
import { messageFrame } from '../../src/node/peer-frame.ts';
import { proposalPreimage, timeoutPreimage, votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import { certificateDigest, type QuorumCertificate } from '../../src/qc/certificate.ts';
import type { AdversaryTools } from './adversaries.ts';
import type { SeenFrame } from './lens.ts';
import { signAsPeer } from './simulated-keys.ts';
import type { SimulatedValidator } from './simulated-validator.ts';

const NONE = new Uint8Array(0);

export class Forger {
  readonly #tools: AdversaryTools;
  /** The other block of each of its rounds, for those who are told of that one. */
  readonly #siblings = new Map<number, { readonly own: string; readonly sibling: string }>();

  constructor(tools: AdversaryTools) {
    this.#tools = tools;
  }

  /** Nodes of odd number are told of another block of the round, and of a vote for it; the others of both votes. */
  equivocate(to: SimulatedValidator, { frame, message }: SeenFrame): readonly Uint8Array[] {
    if (message?.kind === 'proposal') {
      const { block } = message;
      // Of an empty block another time changes nothing else: both are good.
      if (block.events.length > 0) return [frame];
      const sibling = this.#changed(message, { timestamp: block.header.timestamp + 1 });
      this.#siblings.set(block.header.round, { own: block.id, sibling: sibling.block.id });
      return to.id % 2 === 0 ? [frame] : [framed(sibling)];
    }
    if (message?.kind === 'vote') {
      const known = this.#siblings.get(message.vote.round);
      if (known === undefined || known.own !== message.vote.blockId) return [frame];
      const other = framed(this.vote({ ...message.vote, blockId: known.sibling as VoteData['blockId'] }));
      return to.id % 2 === 0 ? [frame, other] : [other, frame];
    }
    return [frame];
  }

  /** @param die in [0, 1) */
  forge({ frame, message }: SeenFrame, die: number): readonly Uint8Array[] {
    switch (message?.kind) {
      case 'proposal':
        return [framed(this.#falseProposal(message, die))];
      case 'vote':
        return [framed(this.#falseVote(message, die))];
      case 'timeout':
        return [framed(this.#falseTimeout(message, die))];
      case 'certificate':
        return [framed({ ...message, certificate: falseCertificate(message.certificate, die) })];
      case 'timeoutCertificate': {
        const { certificate } = message;
        const highRounds = certificate.highRounds.map((round) => Math.max(0, round - 1));
        const forged = die < 0.5 ? { ...certificate, highRounds } : { ...certificate, round: certificate.round + 1 };
        return [framed({ ...message, certificate: forged })];
      }
      default:
        return [frame];
    }
  }

  #falseProposal(message: ProposalMessage, die: number): ProposalMessage {
    const { block, justify, timeoutCertificate } = message;
    const { header } = block;
    if (die < 0.15) return this.#changed(message, { stateRoot: ZERO_HASH });
    // On the parent of the block that its certificate names.
    if (die < 0.3) return this.#changed(message, { parentId: justify.vote.parentId, height: header.height - 1 });
    if (die < 0.4) return this.#changed(message, { parentId: justify.vote.parentId });
    if (die < 0.5) return this.#changed(message, { timestamp: header.timestamp + 3_600 });
    if (die < 0.6) return this.#changed(message, { round: header.round + this.#tools.chain.validators.n });
    if (die < 0.7) return { ...message, timeoutCertificate: null };
    if (die < 0.8 && timeoutCertificate !== null) {
      // An older certificate than those know who gave up.
      return this.#on(message, timeoutCertificate.highCertificate);
    }
    return this.#on(message, falseCertificate(justify, die));
  }

  #falseVote({ vote }: VoteMessage, die: number): VoteMessage {
    if (die < 0.3) return this.vote({ ...vote, blockId: ZERO_HASH });
    if (die < 0.6) return this.vote({ ...vote, commit: null });
    if (die < 0.8) return this.vote({ ...vote, round: vote.round + 1 });
    return this.vote({ ...vote, parentRound: 0, parentId: ZERO_HASH });
  }

  #falseTimeout(message: TimeoutMessage, die: number): TimeoutMessage {
    const { highCertificate, timeout } = message;
    if (die < 0.4) {
      const certificate = falseCertificate(highCertificate, die * 2);
      return this.#timeout({ ...message, highCertificate: certificate }, certificate.vote.round);
    }
    if (die < 0.6) return this.#timeout(message, Math.max(0, timeout.highRound - 1));
    if (die < 0.8) return this.#timeout(message, timeout.round - 1);
    return { ...message, timeoutCertificate: null };
  }

  vote(vote: VoteData): VoteMessage {
    return { kind: 'vote', epoch: 0, vote, signature: this.#sign(votePreimage(this.#binding, vote)) };
  }

  /** Of a round that its highest certificate leads into. */
  timeout(round: number, highCertificate: QuorumCertificate): TimeoutMessage {
    const timeout = { round, highRound: highCertificate.vote.round };
    const message = { kind: 'timeout', epoch: 0, timeout, highCertificate, timeoutCertificate: null } as const;
    return this.#timeout({ ...message, signature: NONE }, timeout.highRound);
  }

  #timeout(message: TimeoutMessage, highRound: number): TimeoutMessage {
    const timeout = { round: message.timeout.round, highRound };
    return { ...message, timeout, signature: this.#sign(timeoutPreimage(this.#binding, timeout)) };
  }

  #on(message: ProposalMessage, justify: QuorumCertificate): ProposalMessage {
    const { blockId } = justify.vote;
    const changed = this.#changed(message, { parentId: blockId, justifyDigest: certificateDigest(justify) });
    return { ...changed, justify };
  }

  #changed(message: ProposalMessage, change: Partial<BlockHeader>): ProposalMessage {
    const { version: _version, eventsRoot: _eventsRoot, ...header } = message.block.header;
    return this.proposal(makeBlock({ ...header, ...change }, message.block.events), message);
  }

  proposal(
    block: Block,
    { justify, timeoutCertificate }: Pick<ProposalMessage, 'justify' | 'timeoutCertificate'>,
  ): ProposalMessage {
    const preimage = proposalPreimage(this.#binding, { round: block.header.round, blockId: block.id });
    const signature = signAsPeer(block.header.proposer, preimage);
    return { kind: 'proposal', block, justify, timeoutCertificate, signature };
  }

  #sign(preimage: Uint8Array): Uint8Array {
    const { book, chain, index } = this.#tools;
    book.add(index, preimage);
    return chain.scheme.sign(chain.secretKeys[index]!, preimage);
  }

  get #binding() {
    return { chainId: this.#tools.chain.chainId, epoch: 0 };
  }
}

/** A later round, too few signers, or one who did not sign. */
function falseCertificate(certificate: QuorumCertificate, die: number): QuorumCertificate {
  const { signers, vote } = certificate;
  if (vote.round === 0) return { ...certificate, vote: { ...vote, blockId: ZERO_HASH } };
  if (die < 0.3) return { ...certificate, vote: { ...vote, round: vote.round + 1 } };
  if (die < 0.6) return { ...certificate, signers: signers.slice(1) };
  if (die < 0.8)
    return { ...certificate, signers: signers.map((signer, place) => (place === 1 ? signers[0]! : signer)) };
  return { ...certificate, vote: { ...vote, commit: null } };
}

export function framed(message: HotstuffMessage): Uint8Array {
  return messageFrame(encodeMessage(message));
}
