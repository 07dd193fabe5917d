/**
 * Four running engines, one of which is a validator that breaks the rules: besides its own work it sends mutants of
 * whatever it saw, to anyone, and signs those that carry its own name. The others must not fail an assertion, must agree,
 * and must go on committing. What no honest validator may ever do, `Watch` checks on everything that leaves one.
 */
import fc from 'fast-check';
import { assert } from '../../src/base/assert.ts';
import { unwrap } from '../../src/base/result.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE_BYTES, withSignature } from '../../src/hotstuff/wire.ts';
import { decodeHeader, makeBlock } from '../../src/ledger/block.ts';
import { proposalPreimage, timeoutPreimage, votePreimage } from '../../src/qc/ballot.ts';
import { certificateCodec, certificateDigest } from '../../src/qc/certificate.ts';
import { changeOf, identitySignature, joinOf } from '../hotstuff/chain.ts';
import { Driver, type Passage } from '../hotstuff/driver.ts';
import { pick } from './messagepack-mutations.ts';
import { mutantOf, mutationChoice, type MutationChoice } from './mutation.ts';
import { propertyTarget } from './target.ts';

const ADVERSARY = 3;
const HONEST = [0, 1, 2];
/** Of what it saw, to make mutants of. */
const REMEMBERED = 32;
const MAX_ROUNDS_TO_HEAL_MS = 120_000;

interface Attack {
  readonly mutation: MutationChoice;
  readonly to: number;
  /** How many messages pass before it. */
  readonly after: number;
}

interface Plan {
  readonly attacks: readonly Attack[];
  /** Whether it keeps its own proposals, votes and timeouts to itself. */
  readonly isSilent: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  attacks: fc.array(fc.record({ mutation: mutationChoice, to: fc.nat(2), after: fc.nat(6) }), { maxLength: 40 }),
  isSilent: fc.boolean(),
});

class Adversary {
  readonly #driver: Driver;
  readonly #attacks: Attack[];
  readonly #isSilent: boolean;
  readonly #seen: Uint8Array[] = [];
  #passed = 0;
  #isAttacking = false;
  sent = 0;

  constructor(driver: Driver, { attacks, isSilent }: Plan) {
    this.#driver = driver;
    this.#attacks = [...attacks];
    this.#isSilent = isSilent;
    driver.lose('adversary', (passage) => this.#pass(passage));
  }

  #pass({ from, message }: Passage): boolean {
    if (this.#isAttacking || message === null) return false;
    this.#seen.unshift(encodeMessage(message));
    this.#seen.splice(REMEMBERED);
    const next = this.#attacks[0];
    if (next !== undefined && this.#passed++ >= next.after) {
      this.#passed = 0;
      this.#attacks.shift();
      this.#isAttacking = true;
      this.#attack(next);
      this.#isAttacking = false;
    }
    return from === ADVERSARY && this.#isSilent;
  }

  #attack({ mutation, to }: Attack): void {
    const { bytes } = mutantOf(this.#seen, mutation, 'messagepack', MAX_MESSAGE_BYTES);
    const { chainId } = this.#driver.chain;
    const decoded = decodeMessage(chainId, bytes);
    // What does not decode ends at admission, and most mutants of a block do not: its header binds all of it.
    const sample = unwrap(decodeMessage(chainId, pick(this.#seen, mutation.first)));
    const message = decoded.ok ? decoded.value : this.#rebound(sample, mutation);
    if (message === undefined || message.kind === 'blocks') return;
    // Unsigned proposals cannot be sent at all.
    if (message.kind === 'proposal' && message.signature.length === 0) return;
    this.sent++;
    this.#driver.inject(ADVERSARY, to, mutation.second % 3 === 0 ? message : this.#signed(message));
  }

  /** A proposal whose header and certificate are mutants that fit together, as only who signs it can make them. */
  #rebound(message: HotstuffMessage, mutation: MutationChoice): HotstuffMessage | undefined {
    if (message.kind !== 'proposal') return undefined;
    const { block, justify } = message;
    const header = decodeHeader(mutantOf([block.headerBytes], mutation, 'messagepack', 1024).bytes);
    const other = certificateCodec.decode(
      mutantOf([certificateCodec.encode(justify)], mutation, 'messagepack', 512).bytes,
    );
    const certificate = other.ok && mutation.second % 2 === 0 ? other.value : justify;
    const { version: _version, eventsRoot: _root, ...fields } = header.ok ? header.value : block.header;
    const { chainId } = this.#driver.chain;
    const bound = { ...fields, chainId, parentId: certificate.vote.blockId };
    const made = makeBlock({ ...bound, justifyDigest: certificateDigest(certificate) }, block.events);
    return { ...message, block: made, justify: certificate, signature: Uint8Array.of(1) };
  }

  #signed(message: HotstuffMessage): HotstuffMessage {
    const { chainId, validators } = this.#driver.chain;
    const binding = { chainId, epoch: validators.epoch };
    const bls = (preimage: Uint8Array) => withSignature(message, this.#driver.signBallot(ADVERSARY, preimage));
    switch (message.kind) {
      case 'vote':
        return bls(votePreimage(binding, message.vote));
      case 'timeout':
        return bls(timeoutPreimage(binding, message.timeout));
      case 'proposal': {
        const { id, header } = message.block;
        const preimage = proposalPreimage(binding, { round: header.round, blockId: id });
        return withSignature(message, identitySignature(validators.member(ADVERSARY).peerId, preimage));
      }
      default:
        return message;
    }
  }
}

/** @returns whether the adversary sent anything that decodes */
function play(given: Plan): boolean {
  const driver = Driver.started({ n: 4 });
  const adversary = new Adversary(driver, given);
  for (let i = 1; i <= 5; i++) {
    driver.submit(i % 3, joinOf(driver.chain, i, nowOf(driver)));
    driver.run(i % 2 === 0 ? 3 : 1500);
  }
  driver.heal();
  const { height } = driver;
  driver.submit(0, changeOf(driver.chain, 1, 2, nowOf(driver)));
  driver.runUntil('the honest commit again', () => honestHeight(driver) > height, MAX_ROUNDS_TO_HEAL_MS);
  driver.settle(MAX_ROUNDS_TO_HEAL_MS);
  for (const index of HONEST) checkRecords(driver, index);
  checkRoots(driver);
  return adversary.sent > 0;
}

function nowOf(driver: Driver): number {
  return Math.floor(driver.nowMs / 1000);
}

function honestHeight(driver: Driver): number {
  return Math.min(...HONEST.map((index) => driver.engine(index).status().height));
}

/** What decides what a validator may sign only ever grows. */
function checkRecords(driver: Driver, index: number): void {
  let before = { voted: 0, locked: 0, certificate: 0 };
  for (const effect of driver.node(index).effects) {
    if (effect.kind !== 'persist') continue;
    const record = unwrap(decodeSafetyRecord(effect.safety));
    const { lastVotedRound: voted, lockedRound: locked } = record;
    const certificate = record.highCertificate.vote.round;
    assert(!record.rolledBack, 'nobody persuades a validator that its record was rolled back', { index });
    const grows = voted >= before.voted && locked >= before.locked && certificate >= before.certificate;
    assert(grows, 'a safety record only grows', { index, voted, locked, certificate });
    before = { voted, locked, certificate };
  }
}

/** Blocks at one height are the same (`Watch`), and so is what they were executed to. */
function checkRoots(driver: Driver): void {
  const roots = new Map<number, string>();
  for (const index of HONEST) {
    const { height, stateRoot } = driver.node(index).machine.head;
    const other = roots.get(height) ?? stateRoot;
    assert(other === stateRoot, 'equal heads have equal state roots', { index, height });
    roots.set(height, stateRoot);
  }
}

export const runningEngines = propertyTarget('running engines', 20, plan, play);
