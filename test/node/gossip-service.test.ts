import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TopicValidatorResult, type GossipSub, type TopicValidatorFn } from '@libp2p/gossipsub';
import { ok, refuse } from '../../src/base/result.ts';
import type { CommittedBlock, VerifiedSealedBlock } from '../../src/consensus/engine.ts';
import { uncommittedBlockOps } from '../../src/ledger/block-log.ts';
import { encodeSealedBlock, makeBlock, type Block, type SealedBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { Admission } from '../../src/node/admit.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { GossipService } from '../../src/node/gossip-service.ts';
import type { Host } from '../../src/net/host.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';
import { followingLedger, type FollowingLedger } from './opened.ts';
import { silentLog } from './silent-log.ts';

/** What libp2p calls, and what it is told. */
class FakeGossip {
  readonly topicValidators = new Map<string, TopicValidatorFn>();
  readonly published: Uint8Array[] = [];
  #listener: ((event: unknown) => void) | undefined;

  addEventListener(_name: string, listener: (event: unknown) => void): void {
    this.#listener = listener;
  }
  removeEventListener(): void {
    this.#listener = undefined;
  }
  subscribe(): void {
    this.published.length = 0;
  }
  unsubscribe(): void {
    this.published.length = 0;
  }
  getSubscribers(): readonly string[] {
    return subscribers;
  }
  publish(_topic: string, message: Uint8Array): Promise<{ recipients: string[] }> {
    this.published.push(message);
    return Promise.resolve({ recipients: [] });
  }

  /** A message as libp2p brings it: judged, and given on when it is accepted. @returns the verdict */
  async bring(data: Uint8Array): Promise<TopicValidatorResult> {
    const [[topic, validate]] = [...this.topicValidators] as [[string, TopicValidatorFn]];
    const verdict = await validate('12D3KooWSender' as never, { data } as never);
    const detail = { msg: { topic, data }, propagationSource: '12D3KooWSender' };
    if (verdict === TopicValidatorResult.Accept) this.#listener?.({ detail });
    return verdict;
  }
}

let chain: SealedChain;
let following: FollowingLedger;
let verifier: InPlaceVerifier;
let gossip: FakeGossip;
let blocks: VerifiedSealedBlock[];
let falseOnes: number;
let subscribers: readonly string[];
let nowMs: number;

beforeEach(async () => {
  chain = new SealedChain();
  following = await followingLedger(chain);
  blocks = [];
  falseOnes = 0;
  subscribers = ['12D3KooWFollower'];
  nowMs = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

/** @param self index of the validator; null for an observer */
function serviceOf(self: number | null = null): GossipService {
  const { chainId, validators } = chain;
  const context = { chainId, validators, genesis: genesisCertificate(0, chain.state.block.id) };
  verifier = new InPlaceVerifier(context, nativeScheme);
  gossip = new FakeGossip();
  const admission = new Admission({
    context,
    verifier,
    events: new EventVerifier({
      chainId,
      verifySignature: () => Promise.reject(new Error('certified events are checked by nobody')),
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 1,
    }),
    verifySignature: () => Promise.resolve(true),
    maxUnderCheckPerPeer: 1,
  });
  const peerId = self === null ? '12D3KooWObserver' : validators.member(self).peerId;
  const service = new GossipService({
    core: {
      admission,
      context,
      identity: { peerId } as never,
      ledger: following.ledger,
      log: silentLog,
      nowMs: () => nowMs,
      seat: self === null ? null : ({ index: self } as never),
    },
    host: { gossip: gossip as unknown as GossipSub } as Host,
    onBlock: (block) => blocks.push(block),
    onFalse: () => falseOnes++,
  });
  service.start();
  return service;
}

function sealed(block: Block, change: Partial<SealedBlock['seal']> = {}): Uint8Array {
  return encodeSealedBlock({ block, seal: { ...chain.seal(block), ...change } });
}

/** A block with a record of node 1, which this node has not. */
const newBlock = (): Block => chain.blockOf([chain.join(1)]);

describe('a block that is announced', () => {
  test('is verified, passed on and given to the engine', async () => {
    serviceOf();
    const block = newBlock();
    expect(await gossip.bring(sealed(block))).toBe('accept');
    expect(blocks.map(({ block: { id } }) => id)).toEqual([block.id]);
    expect(verifier.jobs).toEqual([{ kind: 'seal', urgency: 'bulk' }]);
    expect(falseOnes).toBe(0);
  });

  test('that this node holds already is passed on, and given to nobody', async () => {
    serviceOf();
    const [held, committed] = [newBlock(), await following.commit([chain.join(2)])];
    const stored = [{ id: held.id, bytes: Uint8Array.of(1) }];
    await following.ledger.store.batch(uncommittedBlockOps(stored), { sync: false });
    expect(await gossip.bring(sealed(held))).toBe('accept');
    expect(await gossip.bring(encodeSealedBlock(committed.sealed))).toBe('accept');
    expect(blocks).toEqual([]);
    const few = encodeCommitProof({ certificate: chain.certificateNaming(held, [0, 1]), descendants: [] });
    expect(await gossip.bring(sealed(held, { bytes: few }))).toBe('reject');
  });

  test.each<[string, (block: Block) => Uint8Array]>([
    [
      'a bad certificate',
      (block) => {
        const certificate = chain.certificateNaming(block);
        const signature = chain.certificateNaming(chain.head).signature;
        return sealed(block, {
          bytes: encodeCommitProof({ certificate: { ...certificate, signature }, descendants: [] }),
        });
      },
    ],
    [
      'too few signers',
      (block) => {
        const certificate = chain.certificateNaming(block, [0, 1]);
        return sealed(block, { bytes: encodeCommitProof({ certificate, descendants: [] }) });
      },
    ],
    [
      'a wrong bitmap',
      (block) => {
        const certificate = { ...chain.certificateNaming(block), signers: [0, 1, 3] };
        return sealed(block, { bytes: encodeCommitProof({ certificate, descendants: [] }) });
      },
    ],
    [
      'the chain id of another chain',
      (block) => {
        const { version: _version, eventsRoot: _root, ...header } = block.header;
        return sealed(makeBlock({ ...header, chainId: `other-${'0'.repeat(32)}` }, []));
      },
    ],
    ['the seal of another block', (block) => sealed(block, chain.seal(chain.head))],
    ['a seal of another engine', (block) => sealed(block, { kind: 'raft' })],
    [
      'events that its header does not name',
      (block) => encodeSealedBlock({ block: { ...block, events: [] }, seal: chain.seal(block) }),
    ],
    ['a byte too many', (block) => Uint8Array.from([...sealed(block), 0])],
    ['no block at all', () => Uint8Array.of(1, 2, 3)],
  ])('with %s is refused, has no effect, and is asked for elsewhere', async (_what, forged) => {
    serviceOf();
    expect(await gossip.bring(forged(newBlock()))).toBe('reject');
    expect(blocks).toEqual([]);
    expect(falseOnes).toBe(1);
    expect(following.ledger.log.head().height).toBe(0);
  });

  test('of another epoch, or in a newer form, is not passed on, and nobody is blamed', async () => {
    serviceOf();
    const block = newBlock();
    const certificate = { ...chain.certificateNaming(block), epoch: 1 };
    const { version: _version, eventsRoot: _root, ...header } = block.header;
    const other = makeBlock({ ...header, epoch: 1 }, []);
    const named = chain.certificateNaming(other);
    expect(await gossip.bring(sealed(block, { bytes: encodeCommitProof({ certificate, descendants: [] }) }))).toBe(
      'reject',
    );
    expect(
      await gossip.bring(sealed(other, { bytes: encodeCommitProof({ certificate: named, descendants: [] }) })),
    ).toBe('ignore');
    expect(blocks).toEqual([]);
  });

  test('is not passed on while checks are too many, and nobody is blamed', async () => {
    serviceOf();
    verifier.refusing = refuse('verification-busy', 'text');
    expect(await gossip.bring(sealed(newBlock()))).toBe('ignore');
    verifier.run = () => Promise.reject(new Error('closed'));
    expect(await gossip.bring(sealed(newBlock()))).toBe('ignore');
    expect(blocks).toEqual([]);
  });
});

describe('a committed block', () => {
  const commit = async (): Promise<CommittedBlock> => following.commit([chain.join(3)]);

  const proposerOf = ({ block }: CommittedBlock): number => chain.validators.indexOf(block.header.proposer) ?? -1;
  const onlyValidators = (): readonly string[] => chain.validators.members.map(({ peerId }) => peerId);

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  test('is announced by its proposer at once, with its seal', async () => {
    const committed = await commit();
    serviceOf(proposerOf(committed)).committed([committed]);
    expect(gossip.published).toEqual([encodeSealedBlock(committed.sealed)]);
    vi.runAllTimers();
    expect(gossip.published).toHaveLength(1);
  });

  test('is announced by the other validators a moment later, should its proposer be silent', async () => {
    const committed = await commit();
    serviceOf((proposerOf(committed) + 1) % 4).committed([committed]);
    expect(gossip.published).toEqual([]);
    vi.runAllTimers();
    expect(gossip.published).toEqual([encodeSealedBlock(committed.sealed)]);
  });

  test('is announced by its proposer only when it is old: the others catch up with it', async () => {
    const committed = await commit();
    nowMs = 1000 * (committed.block.header.timestamp + 61);
    serviceOf((proposerOf(committed) + 1) % 4).committed([committed]);
    vi.runAllTimers();
    expect(gossip.published).toEqual([]);
    serviceOf(proposerOf(committed)).committed([committed]);
    expect(gossip.published).toHaveLength(1);
  });

  test('is announced by nobody once the node stops', async () => {
    const committed = await commit();
    const service = serviceOf((proposerOf(committed) + 1) % 4);
    service.committed([committed]);
    service.stop();
    vi.runAllTimers();
    expect(gossip.published).toEqual([]);
  });

  test('is not announced by an observer', async () => {
    const committed = await commit();
    serviceOf(null).committed([committed]);
    vi.runAllTimers();
    expect(gossip.published).toEqual([]);
  });

  test('is not announced, nor passed on, while only validators follow: they have it from each other', async () => {
    subscribers = onlyValidators();
    const committed = await commit();
    for (const self of [proposerOf(committed), (proposerOf(committed) + 1) % 4]) {
      serviceOf(self).committed([committed]);
      vi.runAllTimers();
      expect(gossip.published).toEqual([]);
      expect(await gossip.bring(encodeSealedBlock(committed.sealed))).toBe('ignore');
    }
    serviceOf(null);
    expect(await gossip.bring(encodeSealedBlock(committed.sealed))).toBe('accept');
  });

  test('that a validator has not is taken from gossip, whoever follows', async () => {
    subscribers = onlyValidators();
    serviceOf(0);
    expect(await gossip.bring(sealed(newBlock()))).toBe('accept');
    expect(blocks).toHaveLength(1);
  });
});
