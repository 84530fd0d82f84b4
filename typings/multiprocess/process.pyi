from multiprocessing.process import BaseProcess as BaseProcess
