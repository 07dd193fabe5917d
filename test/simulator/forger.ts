/**
 * A validator that signs what it must not, with its own key and nobody else's: two proposals and two votes for a round,
 * votes for blocks that nobody made, blocks with false roots, times and parents, certificates and timeouts that say
 * more than was signed.
 */
import { ZERO_HASH } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import type { HotstuffMessage, ProposalMessage, TimeoutMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { makeBlock, type Block, type BlockHeader } from '../../src/ledger/block.ts';
import { messageFrame } from '../../src/node/peer-frame.ts';
import { proposalPreimage, timeoutPreimage, votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import { certificateDigest, type QuorumCertificate } from '../../src/qc/certificate.ts';
import type { TimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import type { AdversaryTools } from './adversaries.ts';
import type { SeenFrame } from './lens.ts';
import { signAsPeer } from './simulated-keys.ts';
import type { SimulatedValidator } from './simulated-validator.ts';

const NONE = new Uint8Array(0);
/** A certificate is used again until there is one of so many rounds later. */
const OLD_ROUNDS = 10;
/** Of which it knows who voted. */
const KEPT_ROUNDS = 64;

/** By what each is. */
type Lies<T> = Readonly<Record<string, () => T>>;

export class Forger {
  readonly #tools: AdversaryTools;
  /** Of others' votes that it heard: signatures by round, block and signer. */
  readonly #signatures = new Map<number, Map<string, Map<number, Uint8Array>>>();
  /** A certificate that it has used before. */
  #older: QuorumCertificate | null = null;
  /** Its last block, and what the others were told instead. */
  #proposed: { readonly own: string; readonly told: Block['id'] } = { own: '', told: ZERO_HASH };
  /** The other block of each of its rounds, for those who are told of that one. */
  readonly #siblings = new Map<number, { readonly own: string; readonly sibling: string }>();

  constructor(tools: AdversaryTools) {
    this.#tools = tools;
  }

  /** Votes that come to it, as a collector keeps them. */
  hears(signer: number, { message }: SeenFrame): void {
    if (message?.kind !== 'vote') return;
    const { signature, vote } = message;
    const { blockId, round } = vote;
    const ofRound = this.#signatures.get(round) ?? new Map<string, Map<number, Uint8Array>>();
    const ofBlock = ofRound.get(blockId) ?? new Map<number, Uint8Array>();
    this.#signatures.set(round, ofRound.set(blockId, ofBlock.set(signer, signature)));
    this.#signatures.delete(round - KEPT_ROUNDS);
  }

  /**
   * With a good signature where it has those of all who are left, so that nothing is wrong with it but their number; or
   * else with that of all.
   */
  #ofFewer(certificate: QuorumCertificate): QuorumCertificate {
    const { signers: all, vote } = certificate;
    const known = this.#signatures.get(vote.round)?.get(vote.blockId);
    const signers = all.slice(1);
    const own = this.#tools.index;
    const parts = signers.flatMap((signer) =>
      signer === own ? this.vote(vote).signature : (known?.get(signer) ?? []),
    );
    if (parts.length < signers.length) return { ...certificate, signers };
    this.#tools.count('a certificate of too few, well signed');
    return { ...certificate, signers, signature: unwrap(this.#tools.chain.scheme.aggregate(parts)) };
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
        return [this.#propose(message, die)];
      case 'vote': {
        // For what it told instead of its own block, or else a lie.
        const { own, told } = this.#proposed;
        if (message.vote.blockId === own) return [framed(this.vote({ ...message.vote, blockId: told }))];
        return [framed(this.#lie(this.#liesAboutVote(message), die))];
      }
      case 'timeout':
        return [framed(this.#lie(this.#liesAboutTimeout(message), die))];
      case 'certificate':
        return [framed({ ...message, certificate: this.#lie(this.#liesAbout(message.certificate), die) })];
      case 'timeoutCertificate':
        return [framed({ ...message, certificate: this.#lie(liesAboutTimeouts(message.certificate), die) })];
      default:
        return [frame];
    }
  }

  /** Its vote, and one for another block of the round. */
  voteTwice({ frame, message }: SeenFrame): readonly Uint8Array[] {
    if (message?.kind !== 'vote') return [frame];
    this.#tools.count('two votes of a round');
    return [frame, framed(this.vote({ ...message.vote, blockId: ZERO_HASH }))];
  }

  #propose(message: ProposalMessage, die: number): Uint8Array {
    const lie = this.#lie(this.#liesAboutProposal(message), die);
    this.#proposed = { own: message.block.id, told: lie.block.id };
    return framed(lie);
  }

  #lie<T>(lies: Lies<T>, die: number): T {
    const all = Object.entries(lies);
    const [what, tell] = all[Math.floor(die * all.length)]!;
    this.#tools.count(what);
    return tell();
  }

  #liesAboutProposal(message: ProposalMessage): Lies<ProposalMessage> {
    const { block, justify, timeoutCertificate } = message;
    const { height, round, timestamp } = block.header;
    const { parentId } = justify.vote;
    const older = this.#older;
    return {
      'a block with a wrong state root': () => this.#changed(message, { stateRoot: ZERO_HASH }),
      'a block on the parent of its parent': () => this.#changed(message, { parentId, height: height - 1 }),
      'a block on another parent than its certificate names': () => this.#changed(message, { parentId }),
      'a block of an hour later': () => this.#changed(message, { timestamp: timestamp + 3_600 }),
      'a block of a later round of its own': () =>
        this.#changed(message, { round: round + this.#tools.chain.validators.n }),
      ...(block.events.length > 0 && {
        'a block without the events of its root': () => ({ ...message, block: { ...block, events: [] } }),
      }),
      ...(timeoutCertificate !== null && {
        'a proposal that does not say why it skips a round': () => ({ ...message, timeoutCertificate: null }),
      }),
      ...(older !== null && { 'a proposal on a certificate of long ago': () => this.#on(message, older) }),
      ...mapped(this.#liesAbout(justify), (certificate) => this.#on(message, certificate)),
    };
  }

  #liesAboutVote({ vote }: VoteMessage): Lies<VoteMessage> {
    return {
      'a vote for a block that nobody made': () => this.vote({ ...vote, blockId: ZERO_HASH }),
      'a vote that commits nothing': () => this.vote({ ...vote, commit: null }),
      'a vote of a later round': () => this.vote({ ...vote, round: vote.round + 1 }),
      'a vote on another parent': () => this.vote({ ...vote, parentRound: 0, parentId: ZERO_HASH }),
    };
  }

  #liesAboutTimeout(message: TimeoutMessage): Lies<TimeoutMessage> {
    const { highCertificate, timeout, timeoutCertificate } = message;
    const older = this.#older;
    if (older === null || timeout.highRound > older.vote.round + OLD_ROUNDS) this.#older = highCertificate;
    const knowing = (certificate: QuorumCertificate) =>
      this.#timeout({ ...message, highCertificate: certificate }, certificate.vote.round);
    return {
      'a timeout that knows less than it shows': () => this.#timeout(message, Math.max(0, timeout.highRound - 1)),
      'a timeout that knows more than it shows': () => this.#timeout(message, timeout.round - 1),
      ...(timeoutCertificate !== null && {
        'a timeout that does not say how it came there': () => ({ ...message, timeoutCertificate: null }),
      }),
      ...(older !== null && { 'a timeout with a certificate of long ago': () => knowing(older) }),
      ...mapped(this.#liesAbout(highCertificate), knowing),
    };
  }

  #liesAbout(certificate: QuorumCertificate): Lies<QuorumCertificate> {
    const { signers, vote } = certificate;
    if (vote.round === 0) {
      return { 'another genesis': () => ({ ...certificate, vote: { ...vote, blockId: ZERO_HASH } }) };
    }
    return {
      'a certificate of a later round': () => ({ ...certificate, vote: { ...vote, round: vote.round + 1 } }),
      'a certificate of too few': () => this.#ofFewer(certificate),
      'a certificate with a signer twice': () => ({ ...certificate, signers: signers.with(1, signers[0]!) }),
      'a certificate that commits nothing': () => ({ ...certificate, vote: { ...vote, commit: null } }),
    };
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

function liesAboutTimeouts(certificate: TimeoutCertificate): Lies<TimeoutCertificate> {
  const { highRounds, round } = certificate;
  return {
    'a timeout certificate of those who know less': () => ({
      ...certificate,
      highRounds: highRounds.map((highRound) => Math.max(0, highRound - 1)),
    }),
    'a timeout certificate of a later round': () => ({ ...certificate, round: round + 1 }),
  };
}

function mapped<From, To>(lies: Lies<From>, map: (from: From) => To): Lies<To> {
  return Object.fromEntries(Object.entries(lies).map(([what, tell]) => [what, () => map(tell())]));
}

export function framed(message: HotstuffMessage): Uint8Array {
  return messageFrame(encodeMessage(message));
}
