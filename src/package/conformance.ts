/**
 * `clipscope/conformance`: recordings of the original programs, to test another implementation against, in Node. The command
 * `clipscope-conformance` does the same for an implementation in any language.
 */
import { readFileSync } from 'node:fs';
import type { ConformanceCase } from '../conformance/cases.ts';

export type {
  ConformanceAnswer,
  ConformanceCase,
  ConformanceKind,
  ConformanceProgram,
  ConformanceRequest,
} from '../conformance/cases.ts';
export { recordedModel } from '../conformance/recordedModel.ts';
export {
  type ConformanceFailure,
  type ConformanceScore,
  type Implementation,
  isSameResult,
  type KindScore,
  runConformance,
  type Tally,
} from '../conformance/score.ts';

/** Reads all cases. They are the file conformance/cases.json, too, whose schema is beside it. */
export function loadCases(): ConformanceCase[] {
  return JSON.parse(readFileSync(new URL('./conformance/cases.json', import.meta.url), 'utf8')).cases;
}
