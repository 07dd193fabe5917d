import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { describeScheme } from './scheme-contract.ts';

describeScheme(nativeScheme);
