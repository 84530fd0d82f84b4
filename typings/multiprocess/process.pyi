from multiprocessing.process import BaseProcess as BaseProcess
from multiprocessing.process import current_process as current_process
