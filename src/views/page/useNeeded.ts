import { useEffect } from 'react';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { useFacts } from './useFacts.ts';

const none: readonly EncoderPass[] = [];

/** Has the page encode the passes for as long as the component is on show; `by` names who needs them. */
export function useNeeded(by: string, passes: readonly EncoderPass[] = none): void {
  const need = useFacts((s) => s.need);
  useEffect(() => need(by, passes), [need, by, passes]);
  useEffect(() => () => need(by, none), [need, by]);
}
