/** A chain of random blocks: nodes that join, change, beat, leave and are decided about, several of them in a block. */
import fc from 'fast-check';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import { readEntry } from '../../src/ledger/entries.ts';
import type { QuorumAction } from '../../src/ledger/event-schema.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { SealedChain, type CommittedStep } from './chain.ts';
import { joinedFields, NO_CAPABILITIES, peerOf } from './nodes.ts';

export const RANDOM_NODES = [1, 2, 3].map((number) => peerOf(number));

const TYPES = [
  ...['joined', 'left', 'addressesChanged', 'versionChanged', 'capabilitiesDeclared', 'proposed'],
  ...['heartbeat', 'heartbeat', 'approved', 'approved', 'approved', 'approved'],
] as const;

export interface RandomEvent {
  readonly type: string;
  readonly signer: number;
  readonly about: number;
  readonly choice: number;
}

export interface RandomBlock {
  readonly seconds: number;
  readonly events: readonly RandomEvent[];
}

export const randomBlocks = (minLength: number, maxLength: number) =>
  fc.array(
    fc.record<RandomBlock>({
      seconds: fc.constantFrom(0, 1, 1300, 1300, 4000, 90_000),
      events: fc.array(
        fc.record<RandomEvent>({
          type: fc.constantFrom(...TYPES),
          signer: fc.nat({ max: 3 }),
          about: fc.nat({ max: 2 }),
          choice: fc.nat({ max: 3 }),
        }),
        { maxLength: 6 },
      ),
    }),
    { minLength, maxLength },
  );

export class RandomChain {
  readonly chain: SealedChain;
  readonly #proposals: Hash[] = [];
  readonly #seqs = new Map<string, number>();

  constructor(chain = new SealedChain()) {
    this.chain = chain;
  }

  /** A block with those of the events that apply. */
  commit({ events, seconds }: RandomBlock): CommittedStep {
    const { chain } = this;
    chain.now += seconds;
    const candidates = events.map((event) => this.#event(event));
    const { machine } = chain;
    const selection = machine.select(machine.head, chain.context(), candidates, { maxBytes: 1e6, maxEvents: 100 });
    machine.discard(selection.execution);
    for (const { event, id } of selection.events) if (event.type === 'proposed') this.#proposals.push(id);
    return chain.commit(selection.events);
  }

  #event({ about, choice, signer, type }: RandomEvent): VerifiedEvent {
    const isOfValidator = type === 'proposed' || type === 'approved';
    const validators = this.chain.validators.members.map(({ peerId }) => peerId);
    // A validator may be a node as well.
    const nodes = [...RANDOM_NODES, validators[0] as string];
    const peerId = (isOfValidator ? validators[signer] : nodes[signer]) as string;
    const last = readEntry(this.chain.machine.head, peerId)?.lastSeq ?? 0;
    const seq = Math.max(last, this.#seqs.get(peerId) ?? 0) + 1;
    this.#seqs.set(peerId, seq);
    return this.chain.event({ peerId, seq, ...this.#fields(type, peerId, seq, RANDOM_NODES[about] as string, choice) });
  }

  #fields(
    type: string,
    peerId: string,
    seq: number,
    target: string,
    choice: number,
  ): { readonly type: string } & Readonly<Record<string, unknown>> {
    switch (type) {
      case 'joined':
        return joinedFields(peerId, seq, { version: `v${choice}`, isWebScraper: choice > 1 });
      case 'addressesChanged':
        return { type, multiaddrs: [`/ip4/203.0.113.${choice}/tcp/1`] };
      case 'versionChanged':
        return { type, version: `v${choice}` };
      case 'capabilitiesDeclared':
        return { type, ...NO_CAPABILITIES, isTwitterScraper: choice > 1 };
      case 'proposed': {
        const action = actionOf(target, choice, this.chain.now);
        const replaced = replacedDigest(this.chain.machine.head, action);
        const replaces = replaced.ok ? replaced.value : ZERO_HASH;
        return { type, action, epoch: 0, replaces, expires: this.chain.now + 5000 };
      }
      case 'approved':
        return { type, proposal: this.#proposals.at(-1 - (choice >> 1)) ?? ZERO_HASH };
      default:
        return { type };
    }
  }
}

function actionOf(peerId: string, choice: number, now: number): QuorumAction {
  switch (choice) {
    case 0:
      return { kind: 'nodeRemoved', peerId, reason: 'spam' };
    case 1:
      return { kind: 'workerTimeoutSet', peerId, workerTimeout: now + 960 };
    default:
      return { kind: 'stakeStatusChanged', peerId, isStaked: choice === 2, reference: 'sepolia:0x1f' };
  }
}
