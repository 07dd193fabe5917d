import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { headOf } from '../../src/ledger/genesis-state.ts';
import { CommittedState } from '../../src/ledger/committed-state.ts';
import { LedgerMachine, MAX_UNCOMMITTED_BLOCKS, type Execution } from '../../src/ledger/machine.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { verifyTreeProof } from '../../src/ledger/state-proof.ts';
import { everyFlip } from '../flipped.ts';
import { SealedChain } from './chain.ts';
import { codeOf, peerOf } from './nodes.ts';

const NO_LIMITS = { maxBytes: 1_000_000, maxEvents: 2000 };

const version = (chain: SealedChain, node: number, seq: number, text: string) =>
  chain.event({ type: 'versionChanged', peerId: peerOf(node), seq, version: text });

function execute(chain: SealedChain, parent: Execution, events: readonly VerifiedEvent[], machine = chain.machine) {
  return unwrap(machine.execute(parent, chain.context(parent.height + 1), events));
}

describe('executing', () => {
  test('a block changes nothing that its parent or the committed state shows', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const before = machine.head.stateRoot;
    const a = execute(chain, machine.head, [chain.join(1)]);
    const b = execute(chain, a, [chain.join(2)]);
    expect(a.get(nodeKey(peerOf(1)))).toBeDefined();
    expect(a.get(nodeKey(peerOf(2)))).toBeUndefined();
    expect(b.get(nodeKey(peerOf(1)))).toEqual(a.get(nodeKey(peerOf(1))));
    expect(machine.get(nodeKey(peerOf(1)))).toBeUndefined();
    expect(machine.head.stateRoot).toBe(before);
  });

  test('the same events give the same root on any fork and in any history of forks', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const events = [chain.join(1), chain.join(2)];
    const once = execute(chain, machine.head, events);
    execute(chain, execute(chain, machine.head, [chain.join(3)]), [chain.join(4)]);
    expect(execute(chain, machine.head, events).stateRoot).toBe(once.stateRoot);
    expect(new SealedChain().commit(events).sealed.block.header.stateRoot).toBe(once.stateRoot);
  });

  test('an empty block keeps the root', () => {
    const chain = new SealedChain();
    const a = execute(chain, chain.machine.head, [chain.join(1)]);
    expect(execute(chain, a, []).stateRoot).toBe(a.stateRoot);
  });

  test('one event that does not apply refuses the block, by its place and reason', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const result = machine.execute(machine.head, chain.context(), [chain.join(1), version(chain, 2, 5, 'v2')]);
    expect(result).toMatchObject({
      ok: false,
      refusal: { code: 'event-not-applicable', details: { index: 1, because: 'not-joined', peerId: peerOf(2) } },
    });
    expect(codeOf(machine.execute(machine.head, chain.context(), [chain.join(1), chain.join(1)]))).toBe(
      'event-not-applicable',
    );
  });

  test('a block that does not follow its parent in height and time is refused', () => {
    const chain = new SealedChain();
    const { head } = chain.machine;
    expect(codeOf(chain.machine.execute(head, chain.context(2), []))).toBe('wrong-height');
    const early = { ...chain.context(), timestamp: chain.now - 1 };
    expect(codeOf(chain.machine.execute(head, early, []))).toBe('timestamp-before-parent');
  });
});

describe('committing', () => {
  test('moves the head, discards the forks that lost, and keeps those that descend from the block', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const winner = execute(chain, machine.head, [chain.join(1)]);
    const child = execute(chain, winner, [chain.join(2)]);
    const loser = execute(chain, machine.head, [chain.join(3)]);
    const loserChild = execute(chain, loser, [chain.join(4)]);
    const changes = machine.commit(winner);
    expect(changes.map(({ key }) => key)).toEqual([nodeKey(peerOf(1))]);
    expect(machine.head).toBe(winner);
    expect(machine.get(nodeKey(peerOf(1)))).toEqual(changes[0]?.value);
    expect(child.get(nodeKey(peerOf(1)))).toEqual(changes[0]?.value);
    expect(() => loserChild.get('any')).toThrow('on the chain of the head');
    expect(() => machine.execute(loser, chain.context(2), [])).toThrow('on the chain of the head');
    machine.commit(child);
    expect(machine.head.height).toBe(2);
  });

  test('a block whose parent is not the head is a bug of the caller', () => {
    const chain = new SealedChain();
    const a = execute(chain, chain.machine.head, []);
    const b = execute(chain, a, []);
    expect(() => chain.machine.commit(b)).toThrow('a child of the committed head');
  });

  test('committed values are read here until they are durable, then from the backing', () => {
    const chain = new SealedChain();
    const { backing, machine } = chain;
    const key = nodeKey(peerOf(1));
    const first = execute(chain, machine.head, [chain.join(1)]);
    const changes = machine.commit(first);
    expect(backing.get(key)).toBeUndefined();
    expect(machine.get(key)).toEqual(changes[0]?.value);
    const second = execute(chain, machine.head, [version(chain, 1, 2, 'v2')]);
    const later = machine.commit(second);
    backing.apply(changes);
    machine.settled(1);
    expect(machine.get(key)).toEqual(later[0]?.value);
    backing.apply(later);
    machine.settled(2);
    expect(machine.get(key)).toEqual(later[0]?.value);
  });

  test('nothing can be settled that was not committed', () => {
    expect(() => new SealedChain().machine.settled(1)).toThrow('what is settled was committed');
  });
});

describe('discarding', () => {
  test('gives up an execution with all that descend from it, once', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const a = execute(chain, machine.head, [chain.join(1)]);
    const b = execute(chain, a, [chain.join(2)]);
    machine.discard(a);
    machine.discard(a);
    machine.discard(b);
    expect(() => b.get('any')).toThrow('on the chain of the head');
    expect(() => machine.discard(machine.head)).toThrow('never discarded');
  });
});

describe('selecting', () => {
  test('takes what applies in order, and the result is that of executing exactly these', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const candidates = [chain.join(1), version(chain, 1, 2, 'v2'), version(chain, 2, 2, 'v9'), chain.join(3)];
    const selection = machine.select(machine.head, chain.context(), candidates, NO_LIMITS);
    expect(selection.events).toEqual([candidates[0], candidates[1], candidates[3]]);
    expect(selection.refused).toMatchObject([{ event: candidates[2], refusal: { code: 'not-joined' } }]);
    expect(execute(chain, machine.head, selection.events).stateRoot).toBe(selection.execution.stateRoot);
  });

  test('stops at the limit of events and at the limit of bytes', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const candidates = [chain.join(1), chain.join(2), chain.join(3)];
    const two = machine.select(machine.head, chain.context(), candidates, { ...NO_LIMITS, maxEvents: 2 });
    expect(two.events).toHaveLength(2);
    const size = (candidates[0] as VerifiedEvent).bytes.length;
    const one = machine.select(machine.head, chain.context(), candidates, { ...NO_LIMITS, maxBytes: size + 20 });
    expect(one.events).toHaveLength(1);
  });

  test('an event that only an uncommitted block refuses waits, for that block may lose', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const joined = chain.join(1);
    const uncommitted = execute(chain, machine.head, [joined]);
    const selection = machine.select(uncommitted, chain.context(2), [joined], NO_LIMITS);
    expect(selection).toMatchObject({ events: [], refused: [], waiting: [joined] });
    machine.commit(uncommitted);
    const later = machine.select(machine.head, chain.context(2), [joined], NO_LIMITS);
    expect(later).toMatchObject({ events: [], waiting: [], refused: [{ refusal: { code: 'already-applied' } }] });
  });

  test("a node's later events wait for its earlier one", () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const early = chain.join(1, { time: chain.now + 700 });
    const next = version(chain, 1, 2, 'v2');
    const selection = machine.select(machine.head, chain.context(), [early, next], NO_LIMITS);
    expect(selection).toMatchObject({ events: [], refused: [], waiting: [early, next], waitsForChain: false });
  });

  test('an event too old for this block is refused once it is too old for the committed head', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const event = chain.join(1);
    chain.now += 601;
    const selection = machine.select(machine.head, chain.context(), [event], NO_LIMITS);
    expect(selection).toMatchObject({ waiting: [event], waitsForChain: true });
    chain.commit();
    const { refused } = machine.select(machine.head, chain.context(), [event], NO_LIMITS);
    expect(refused).toMatchObject([{ refusal: { code: 'expired' } }]);
  });

  test('a proposal that expires before this block waits for the time of the chain as well', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const { peerId } = chain.context().validators.member(0);
    const action = { kind: 'parametersChanged', parameters: { livenessWindowSeconds: 600 } } as const;
    const replaces = unwrap(replacedDigest(machine.head, action));
    const proposed = chain.event({ type: 'proposed', peerId, seq: 1, action, epoch: 0, replaces, expires: chain.now });
    chain.now += 1;
    const selection = machine.select(machine.head, chain.context(), [proposed], NO_LIMITS);
    expect(selection).toMatchObject({ waiting: [proposed], waitsForChain: true });
    chain.commit();
    const { refused } = machine.select(machine.head, chain.context(), [proposed], NO_LIMITS);
    expect(refused).toMatchObject([{ refusal: { code: 'proposal-expired' } }]);
  });

  test('a heartbeat is judged by the time of the block, not by that of an idle head', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    chain.commit([chain.join(1)]);
    chain.now += 1300;
    const heartbeat = chain.event({ type: 'heartbeat', peerId: peerOf(1), seq: 2, time: chain.now - 400 });
    expect(machine.finalRefusal(heartbeat, chain.context())).toBeNull();
    const sooner = { ...chain.context(), timestamp: chain.now - 400 };
    expect(machine.finalRefusal(heartbeat, sooner)?.code).toBe('heartbeat-too-soon');
    expect(machine.select(machine.head, chain.context(), [heartbeat], NO_LIMITS).events).toEqual([heartbeat]);
  });

  test('only empty blocks are proposed on top of 32 that are not committed', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    let tip = machine.head;
    for (let i = 0; i < MAX_UNCOMMITTED_BLOCKS; i++) tip = execute(chain, tip, [chain.join(i)]);
    tip = execute(chain, tip, []);
    expect(machine.uncommittedDepth(tip)).toBe(MAX_UNCOMMITTED_BLOCKS);
    const selection = machine.select(tip, chain.context(tip.height + 1), [chain.join(99)], NO_LIMITS);
    expect(selection).toMatchObject({ events: [], refused: [], waiting: [] });
  });
});

describe('memory', () => {
  test('holds no node of the tree that no kept height can reach, whatever was forked and lost', () => {
    const chain = new SealedChain();
    const tree = new StateTree();
    const version = tree.update(tree.empty, chain.state.changes);
    tree.retire(tree.empty);
    const { backing, chainId, state } = chain;
    const machine = new LedgerMachine({ chainId, head: headOf(state.block), backing, tree, version });
    for (let height = 1; height <= 150; height++) {
      const loser = execute(chain, machine.head, [chain.join(1000 + height)], machine);
      execute(chain, loser, [chain.join(2000 + height)], machine);
      const events = height <= 80 ? [chain.join(height)] : [];
      machine.commit(execute(chain, machine.head, events, machine));
    }
    const fresh = new StateTree();
    const entries = Array.from({ length: 80 }, (_, i) => nodeKey(peerOf(i + 1)));
    const nodes = entries.map((key) => ({ key, value: machine.get(key) }));
    expect(fresh.update(fresh.empty, [...chain.state.changes, ...nodes]).root).toBe(machine.head.stateRoot);
    expect(tree.nodeCount).toBe(fresh.nodeCount);
  });
});

describe('a value that the store gives back changed', () => {
  const key = nodeKey(peerOf(1));

  /** A machine that has read nothing yet, on a store that the test may change. */
  function started(): { machine: LedgerMachine; stored: Map<string, Uint8Array> } {
    const chain = new SealedChain();
    chain.commit([chain.join(1), chain.join(2)]);
    const keys = [...chain.state.changes.map((change) => change.key), key, nodeKey(peerOf(2))];
    const entries = keys.map((name) => ({ key: name, value: chain.machine.get(name) as Uint8Array }));
    const tree = new StateTree();
    const version = tree.update(tree.empty, entries);
    tree.retire(tree.empty);
    const stored = new Map(entries.map(({ key: name, value }) => [name, value]));
    const backing = { get: (name: string) => stored.get(name) };
    const machine = new LedgerMachine({ chainId: chain.chainId, head: headOf(chain.head), backing, tree, version });
    return { machine, stored };
  }
  const refused = expect.objectContaining({ code: 'store-corrupt' }) as Error;

  test('is refused, whoever asks: it is not what the root was computed of', () => {
    const { machine, stored } = started();
    expect(started().machine.durable.get(key)).toEqual(stored.get(key));
    for (const damaged of everyFlip(stored.get(key) as Uint8Array)) {
      stored.set(key, damaged);
      expect(() => machine.get(key)).toThrow(refused);
      expect(() => machine.durable.get(key)).toThrow(refused);
    }
    expect(machine.get(nodeKey(peerOf(2)))).toBeDefined();
  });

  test('is not asked for again once it was found to be right', () => {
    const { machine, stored } = started();
    const value = stored.get(key);
    expect(machine.durable.get(key)).toEqual(value);
    stored.delete(key);
    expect(machine.durable.get(key)).toEqual(value);
  });

  test('is refused when it is gone, and not looked at where there is none', () => {
    const { machine, stored } = started();
    const value = stored.get(key) as Uint8Array;
    stored.delete(key);
    expect(() => machine.get(key)).toThrow(refused);
    expect(machine.get(nodeKey(peerOf(3)))).toBeUndefined();
    stored.set(nodeKey(peerOf(4)), value);
    expect(machine.get(nodeKey(peerOf(4)))).toBeUndefined();
  });
});

describe('the last 64 heights', () => {
  test('keep their values and their proofs, and no more', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    const key = nodeKey(peerOf(1));
    const values = new Map<number, Uint8Array | undefined>([[0, undefined]]);
    const roots = new Map([[0, machine.head.stateRoot]]);
    for (let height = 1; height <= 100; height++) {
      if (height === 1) chain.commit([chain.join(1)]);
      else if (height % 3 === 0) chain.commit([version(chain, 1, height, `v${height}`)]);
      else chain.commit(height % 5 === 0 ? [chain.join(height)] : []);
      values.set(height, machine.get(key));
      roots.set(height, machine.head.stateRoot);
    }
    expect(machine.oldestHeldHeight).toBe(37);
    for (let height = 37; height <= 100; height++) {
      const proven = unwrap(machine.proveAt(height, key));
      expect(proven.value).toEqual(values.get(height));
      expect(proven.stateRoot).toBe(roots.get(height));
      expect(unwrap(machine.getAt(height, key))).toEqual(values.get(height));
      expect(verifyTreeProof(proven.stateRoot, key, proven.value, proven.proof).ok).toBe(true);
    }
    expect(codeOf(machine.proveAt(36, key))).toBe('height-not-held');
    expect(codeOf(machine.getAt(101, key))).toBe('height-not-held');
  });

  test('stay for one who asked for it, and go when it is done', () => {
    const chain = new SealedChain();
    const { machine } = chain;
    for (let height = 1; height <= 70; height++) chain.commit(height === 1 ? [chain.join(1)] : []);
    const key = nodeKey(peerOf(1));
    const value = machine.get(key);
    machine.keepFrom(70);
    for (let height = 71; height <= 140; height++) chain.commit(height === 90 ? [version(chain, 1, 90, 'v90')] : []);
    expect(machine.oldestHeldHeight).toBe(70);
    expect(unwrap(machine.changedSince(70)).get(key)).toEqual(value);
    expect(unwrap(machine.proveAt(70, key)).value).toEqual(value);
    machine.keepFrom(null);
    chain.commit([]);
    expect(machine.oldestHeldHeight).toBe(78);
    expect(codeOf(machine.changedSince(70))).toBe('height-not-held');
  });

  test('are no more than 4,096 for one who never comes back', () => {
    const tree = new StateTree();
    const state = new CommittedState({ backing: { get: () => undefined }, tree, version: tree.empty, height: 0 });
    state.keepFrom(0);
    for (let height = 1; height <= 4100; height++) state.advance([], tree.update(state.version, []));
    expect(state.oldestHeight).toBe(5);
  });

  test('are fewer where fewer were asked for: at one, the head alone', () => {
    const tree = new StateTree();
    const backing = { get: () => undefined };
    const state = new CommittedState({ backing, tree, version: tree.empty, height: 0, heldHeights: 1 });
    const key = nodeKey(peerOf(1));
    for (const value of [Uint8Array.of(1), Uint8Array.of(2)]) {
      state.advance([{ key, value }], tree.update(state.version, [{ key, value }]));
    }
    expect(state.oldestHeight).toBe(2);
    const { proof, stateRoot, value } = unwrap(state.proveAt(2, key));
    expect(value).toEqual(Uint8Array.of(2));
    expect(verifyTreeProof(stateRoot, key, value, proof).ok).toBe(true);
    expect(codeOf(state.proveAt(1, key))).toBe('height-not-held');
  });
});
