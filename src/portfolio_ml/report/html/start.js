for (const hidden of document.querySelectorAll("[data-scripted]")) hidden.hidden = false;
startTable();
startDrawer();
startTheme();
startPaper();
