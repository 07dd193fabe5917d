import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../src/base/assert.ts';
import { NEWEST_EVENT_SCHEMA } from '../../src/ledger/newest-schema.ts';
import { checkParameters, DEFAULT_PARAMETERS, encodeParameters, parametersAt } from '../../src/ledger/parameters.ts';
import { codeOf } from './nodes.ts';

describe('chain parameters', () => {
  it('are those of the genesis at every height until they are changed', () => {
    const state = { get: () => encodeParameters(DEFAULT_PARAMETERS) };
    expect(parametersAt(state, 1)).toEqual({ livenessWindowSeconds: 3600, eventSchema: 1 });
  });

  it('are in every state', () => {
    expect(() => parametersAt({ get: () => undefined }, 1)).toThrow(AssertionError);
  });

  it.each([
    [{}, 'applied'],
    [{ livenessWindowSeconds: 2 }, 'parameters-invalid'],
    [{ livenessWindowSeconds: 31 * 86_400 }, 'parameters-invalid'],
    [{ livenessWindowSeconds: 3.5 }, 'parameters-invalid'],
    [{ eventSchema: 0 }, 'schema-unknown'],
    [{ eventSchema: NEWEST_EVENT_SCHEMA + 1 }, 'schema-unknown'],
  ])('%j: %s', (changes, code) => {
    expect(codeOf(checkParameters({ ...DEFAULT_PARAMETERS, ...changes }))).toBe(code);
  });
});
