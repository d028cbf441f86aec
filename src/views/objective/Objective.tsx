import { useEffect, useState } from 'react';
import { readLabLink } from '../../state/lab/labLink.ts';
import { labPairs } from '../../state/lab/labParameters.ts';
import { type LabSettings, labAddress } from '../../state/lab/labSettings.ts';
import { type OwnWork, ownAddress } from '../../state/lab/ownWork.ts';
import { startLab } from '../../state/lab/startLab.ts';
import { viewHash, viewOf } from '../../state/view.ts';
import { lazyPart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useWhileSeen } from '../page/useWhileSeen.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Transport } from './LabControls.tsx';
import { LabPart } from './LabPart.tsx';
import { LabPicture } from './LabPicture.tsx';
import { LabStatus } from './LabStatus.tsx';
import styles from './objective.module.css';
import { LabContext, useLab, useLabStore } from './useLab.ts';

const OwnPicture = lazyPart<{ readonly isOpen: boolean }>(
  async () => (await import('./own/OwnPicture.tsx')).OwnPicture,
);
const OpenClip = lazyPart<{ readonly isOpen: boolean }>(async () => (await import('./openclip/OpenClip.tsx')).OpenClip);
const Texts = lazyPart<{ readonly isOpen: boolean }>(async () => (await import('./texts/Texts.tsx')).Texts);

const lead = (
  <>
    A toy CLIP learns in your browser from coloured shapes. Each row of the matrix is a caption, each column a picture;
    the <dfn>objective</dfn> wants the diagonal, where a caption meets its own picture, to win its row and its column.
  </>
);

/** The objective lab: a small CLIP that learns while one looks. */
export function Objective() {
  const [lab] = useState(() => {
    const { settings, own } = readLabLink(location.hash);
    return startLab(settings, !matchMedia('(prefers-reduced-motion: reduce)').matches, own);
  });
  const [hasOwn] = useState(() => ownAddress(lab.getState().own).address !== '');
  return (
    <section className="panel" id="objective" aria-labelledby="objective-title">
      <LabContext value={lab}>
        <ViewHeader view="objective" lead={lead}>
          <div className={styles.top}>
            <Transport />
            <LabStatus />
          </div>
        </ViewHeader>
        <Training />
        <Address />
        <div className={styles.lab}>
          <LabPicture />
          <LabPart title="Your own picture and caption" isOpenAtFirst={hasOwn} Content={OwnPicture} />
          <LabPart title="The same in open_clip" Content={OpenClip} />
          <LabPart title="Texts against texts, by the model in use" Content={Texts} />
        </div>
      </LabContext>
    </section>
  );
}

/** Trains while the view is on show, and the page is. */
export function Training() {
  const show = useLab((s) => s.show);
  const hide = useLab((s) => s.hide);
  useWhileSeen(show, hide);
  return null;
}

/** Milliseconds without a change after which the address follows: browsers refuse too many changes of it. */
const addressRest = 250;

function writeAddress(settings: LabSettings, own: OwnWork): void {
  const address = viewHash('objective') + labAddress(settings) + ownAddress(own).address;
  history.replaceState(history.state, '', address);
}

/**
 * Keeps the settings, and what a person made, in the address, so that it can be copied; and follows an address that is opened,
 * on this view or on another, and says what is wrong in it.
 */
function Address() {
  const lab = useLabStore();
  const settings = useLab((s) => s.settings);
  const own = useLab((s) => s.own);
  const notify = useFacts((s) => s.notify);
  useEffect(() => {
    const follow = () => {
      const { hash } = location;
      if (viewOf(hash) !== 'objective') return;
      const { settings, own, change, changeOwn } = lab.getState();
      // A link within the page names the view alone.
      if (labPairs(hash).length === 0) return writeAddress(settings, own);
      const link = readLabLink(hash);
      change(link.settings);
      changeOwn(() => link.own);
      if (link.message) notify(link.message);
    };
    follow();
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [lab, notify]);
  useEffect(() => {
    const timer = setTimeout(() => {
      // The address may name another view already, which the page has not come to yet.
      if (viewOf(location.hash) === 'objective') writeAddress(settings, own);
    }, addressRest);
    return () => clearTimeout(timer);
  }, [settings, own]);
  return null;
}
