import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { startClipscope } from './state/start.ts';
import { App } from './views/App.tsx';
import './views/app.css';
import './views/pictures.css';
import { StoreContext } from './views/useFacts.ts';

const store = startClipscope();
// Before the first paint, so that a chosen theme does not flash.
document.documentElement.dataset.theme = store.getState().theme;

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <StoreContext value={store}>
      <App />
    </StoreContext>
  </StrictMode>,
);
