import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { headStatementPreimage, type ChainBinding } from '../../src/qc/ballot.ts';
import { headStatementCodec, verifyHeadStatement, type HeadStatement } from '../../src/qc/head-statement.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { codeOf } from './refusal.ts';
import { chain, contextOf, hashOf, secretKey } from './validators.ts';

const context = contextOf(4);
const head = { height: 12, blockId: hashOf('block'), stateRoot: hashOf('state'), nowMs: 1_700_000_000_123 };

function statementOf(signer: number, on: ChainBinding = chain): HeadStatement {
  const signature = nativeScheme.sign(secretKey(signer), headStatementPreimage(on, head));
  return { ...head, epoch: on.epoch, signer, signature };
}

function verdict(statement: HeadStatement): string {
  return codeOf(verifyHeadStatement(statement, context, nativeScheme));
}

describe('a head statement', () => {
  it('verifies for the validator that signed it', () => {
    expect(verdict(statementOf(2))).toBe('accepted');
  });

  it('decodes to itself, a clock beyond 32 bits included', () => {
    const statement = statementOf(2);
    expect(unwrap(headStatementCodec.decode(headStatementCodec.encode(statement)))).toEqual(statement);
  });

  it('is not taken for that of another validator or of none', () => {
    expect(verdict({ ...statementOf(2), signer: 1 })).toBe('head-statement-invalid');
    expect(verdict({ ...statementOf(2), signer: 4 })).toBe('signer-unknown');
  });

  it('is not taken for another head, time, chain or epoch', () => {
    for (const change of [{ height: 13 }, { blockId: hashOf('x') }, { stateRoot: hashOf('x') }, { nowMs: 1 }]) {
      expect(verdict({ ...statementOf(2), ...change })).toBe('head-statement-invalid');
    }
    expect(verdict(statementOf(2, { ...chain, chainId: 'another' }))).toBe('head-statement-invalid');
    expect(verdict(statementOf(2, { ...chain, epoch: 1 }))).toBe('epoch-mismatch');
  });
});
