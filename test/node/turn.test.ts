import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import {
  committedBlockOps,
  evidenceOps,
  forgottenBlockOps,
  safetyRecordOps,
  uncommittedBlockOps,
} from '../../src/ledger/block-log.ts';
import { planTurn } from '../../src/node/turn.ts';
import { blockAt, effects, hashOf, type TestEffect } from './scripted.ts';

describe('a turn', () => {
  test('writes the safety record, blocks, commits and evidence of all its inputs in one batch, in their order', () => {
    const { operations } = planTurn([
      effects.persist('first', 'a', 'b'),
      effects.cast('vote'),
      effects.commit(1, 2),
      effects.evidence(3),
      effects.persist('second'),
    ]);
    const { sealed, changes } = blockAt(1);
    const next = blockAt(2);
    expect(operations).toEqual([
      ...uncommittedBlockOps(['a', 'b'].map((name) => ({ id: hashOf(name), bytes: utf8(name) }))),
      ...safetyRecordOps(utf8('first')),
      ...committedBlockOps(sealed, changes),
      ...committedBlockOps(next.sealed, next.changes),
      ...evidenceOps(0, 3, utf8('evidence')),
      ...safetyRecordOps(utf8('second')),
    ]);
  });

  test('deletes the blocks that a commit leaves behind', () => {
    expect(planTurn([effects.forget('lost')]).operations).toEqual(forgottenBlockOps([hashOf('lost')]));
  });

  test('writes nothing when nothing must be durable', () => {
    expect(planTurn([effects.send('hello'), effects.verify('x'), effects.refused('no')]).operations).toEqual([]);
  });

  test('keeps every effect, and those of one kind in the order in which the engine listed them', () => {
    const anyEffect: fc.Arbitrary<TestEffect> = fc.oneof(
      fc.string().map((name) => effects.persist(name)),
      fc.string().map((name) => effects.cast(name)),
      fc.string().map((name) => effects.send(name)),
      fc.string().map((name) => effects.verify(name)),
      fc.nat().map((request) => effects.fetch(request)),
      fc.string().map((code) => effects.rejected(code)),
      fc.string().map((code) => effects.refused(code)),
      fc.nat().map((offender) => effects.evidence(offender)),
      fc.constantFrom(1, 2, 3).map((height) => effects.commit(height)),
    );
    fc.assert(
      fc.property(fc.array(anyEffect), (list) => {
        const turn = planTurn(list);
        const ofKind = (...kinds: readonly TestEffect['kind'][]) => list.filter(({ kind }) => kinds.includes(kind));
        expect(turn.dispatches).toEqual(ofKind('cast', 'send'));
        expect(turn.jobs).toEqual(ofKind('verify'));
        expect(turn.fetches).toEqual(ofKind('fetch'));
        expect(turn.rejected).toEqual(ofKind('rejected'));
        expect(turn.refused).toEqual(ofKind('refused'));
        expect(turn.evidence).toEqual(ofKind('evidence'));
        expect(turn.commits).toHaveLength(ofKind('commit').length);
        expect(turn.operations.length > 0).toBe(ofKind('persist', 'commit', 'evidence').length > 0);
      }),
    );
  });
});
